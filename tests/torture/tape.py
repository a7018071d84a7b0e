"""What the shim wrote down (shim.c), and the disk that it was written to.

    ops = read_recording(path)
    disk = Disk()
    for op in ops:
        disk.pictures ...            # what a cut of power before this call could have left
        disk.advance(op)

The disk's rules. What was written to a file is on it for certain once a sync of that file that began later has come back (or the write itself, through a
descriptor with O_DSYNC: LMDB's meta pages); until then any part of it may be, in units of 512 bytes, whatever the order of writing; a file that grew or shrank may
have its new length or not. A name (made, renamed, removed; of a file or a folder) is so for certain once a sync of the folder that it stands in has come back, whatever
was done with the file itself; until then it may be as it was before, whatever became of the folder's other names. A rename is one change: the old name
gone and the new one there, or neither."""
import os
import shutil
import struct

from place import KINDS

SECTOR = 512
HEAD = struct.Struct("<IIQQIIQ")
REMADE = ("lock.mdb",)  # LMDB's readers: made anew by whoever opens first, whatever is in it


class Op:
    __slots__ = ("kind", "synced", "off", "n", "name", "to", "data")

    def __init__(self, kind, synced, off, n, name, to, data):
        self.kind, self.synced, self.off, self.n, self.name, self.to, self.data = KINDS[kind], synced, off, n, name, to, data


def read_recording(path):
    ops = []
    with open(path, "rb") as f:
        while head := f.read(HEAD.size):
            kind, synced, off, n, name_n, to_n, data_n = HEAD.unpack(head)
            name, to = f.read(name_n).decode(), f.read(to_n).decode()
            op = Op(kind, bool(synced), off, n, name, to, f.read(data_n))
            if os.path.basename(name) not in REMADE:
                ops.append(op)
    return ops


def put(image, off, data):
    if len(image) < off:
        image.extend(bytes(off - len(image)))
    image[off:off + len(data)] = data


def resize(image, size):
    del image[size:]
    image.extend(bytes(size - len(image)))


class File:
    def __init__(self, image=b""):
        self.written, self.synced = bytearray(image), bytearray(image)
        self.flying = []  # what no sync has covered yet, in order: (offset, bytes) of a write, (length, None) of a change of length

    def write(self, off, data, synced):
        put(self.written, off, data)
        if synced:
            put(self.synced, off, data)
        else:
            self.flying.append((off, data))

    def resize(self, size):
        resize(self.written, size)
        self.flying.append((size, None))

    def sync(self):
        for off, data in self.flying:
            if data is None:
                resize(self.synced, off)
            else:
                put(self.synced, off, data)
        self.flying.clear()

    def some(self, dice, share, under_way=()):
        """A choice among the sectors in flight."""
        image, flying = bytearray(self.synced), [*self.flying, *under_way]
        for off, data in flying:
            if data is None:
                if dice.random() < share:
                    resize(image, off)
                continue
            at = 0
            while at < len(data):
                n = min(len(data) - at, SECTOR - (off + at) % SECTOR)
                if dice.random() < share:
                    put(image, off + at, data[at:at + n])
                at += n
        writes = [off + len(data) for off, data in flying if data is not None]
        if writes and dice.random() < 0.5:
            image.extend(bytes(max(0, max(writes) - len(image))))
        return image


class Folder:
    def __init__(self):
        self.now, self.synced = {}, {}  # name -> File or Folder
        self.flying = []                # changes that no sync has covered: {name: File, Folder or None}

    def change(self, change):
        self.flying.append(change)
        alter(self.now, change)

    def sync(self):
        self.synced = dict(self.now)
        self.flying.clear()


def alter(names, change):
    for name, thing in change.items():
        if thing is None:
            names.pop(name, None)
        else:
            names[name] = thing


def tree_of(path):
    """A folder as a picture; lay_out makes a folder of one."""
    tree = {}
    for folder, names, files in os.walk(path):
        for name in names:
            tree[os.path.relpath(os.path.join(folder, name), path)] = None
        for name in files:
            if name not in REMADE:
                with open(os.path.join(folder, name), "rb") as f:
                    tree[os.path.relpath(os.path.join(folder, name), path)] = f.read()
    return tree


def lay_out(path, tree):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    for name, image in tree.items():
        if image is None:
            os.makedirs(os.path.join(path, name), exist_ok=True)
        else:
            with open(os.path.join(path, name), "wb") as f:
                f.write(image)
    return path


class Disk:
    """advance() goes through a recording; pictures are {path: bytes, a folder's None}."""

    def __init__(self, there=()):
        """there: a picture of what lay there before, for certain; or names of folders."""
        self.root = Folder()
        for path, image in sorted(dict.fromkeys(there).items() if not isinstance(there, dict) else there.items()):
            folder, name = self.split(path)
            folder.change({name: Folder() if image is None else File(image)})
            folder.sync()

    def find(self, path):
        thing = self.root
        for part in path.split("/") if path else ():
            thing = thing.now[part]
        return thing

    def split(self, path):
        above, _, name = path.rpartition("/")
        return self.find(above), name

    def advance(self, op):
        if op.kind in ("create", "mkdir"):
            folder, name = self.split(op.name)
            folder.change({name: File() if op.kind == "create" else Folder()})
        elif op.kind in ("unlink", "rmdir"):
            folder, name = self.split(op.name)
            folder.change({name: None})
        elif op.kind == "rename":
            (folder, name), (to_folder, to) = self.split(op.name), self.split(op.to)
            if folder is not to_folder:
                raise AssertionError(f"{op.name} becomes {op.to}: the disk has no rule for a rename into another folder")
            folder.change({name: None, to: folder.now[name]})
        elif op.kind == "write":
            self.find(op.name).write(op.off, op.data, op.synced)
        elif op.kind in ("fdatasync", "fsync"):
            self.find(op.name).sync()
        elif op.kind in ("ftruncate", "fallocate"):
            f = self.find(op.name)
            f.resize(op.off if op.kind == "ftruncate" else max(len(f.written), op.off + op.n))
        else:
            raise AssertionError(f"{op.kind} of {op.name}: the disk has no rule for it")

    def picture(self, names_of, bytes_of):
        """The tree, with each folder's names and each file's bytes as they say."""
        out = {}

        def walk(folder, above):
            for name, thing in names_of(folder).items():
                if isinstance(thing, Folder):
                    out[above + name] = None
                    walk(thing, above + name + "/")
                else:
                    out[above + name] = bytes_of(thing)
        walk(self.root, "")
        return out

    def all(self, under_way=None):
        writing = self.writing(under_way)

        def bytes_of(f):
            if f is not writing:
                return f.written
            image = bytearray(f.written)
            put(image, under_way.off, under_way.data)
            return image
        return self.picture(lambda d: d.now, bytes_of)

    def writing(self, under_way):
        return self.find(under_way.name) if under_way is not None and under_way.kind == "write" else None

    def certain(self):
        return self.picture(lambda d: d.synced, lambda f: f.synced)

    def certain_names(self):
        """Whatever was written is there, but under no name that no sync has made certain."""
        return self.picture(lambda d: d.synced, lambda f: f.written)

    def subset(self, dice, under_way=None):
        """One choice among what is in flight. under_way: the call that the cut interrupts, or None."""
        share, names_share = dice.choice((0.1, 0.5, 0.9, 1.0)), dice.choice((0, 0.5, 1.0))
        writing = self.writing(under_way)

        def names_of(folder):
            names = dict(folder.synced)
            for change in folder.flying:
                if dice.random() < names_share:
                    alter(names, change)
            return names
        return self.picture(names_of, lambda f: f.some(dice, share, [(under_way.off, under_way.data)] if f is writing else []))


def played(ops, there=()):
    """The disk when all of it was done; there: as of Disk."""
    disk = Disk(there)
    for op in ops:
        disk.advance(op)
    return disk
