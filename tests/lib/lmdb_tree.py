"""Words of LMDB's pages that lead it astray, in a file of it: what a damaged page may come to."""
import struct

PAGE, HEAD = 4096, 16
BRANCH, LEAF, SAME_LENGTH = 1, 2, 0x20
SUB_TREE, MANY = 2, 4  # of a node
LAST_PAGE = 136  # its place on each of the two pages at which the file begins
FREE_ROOT, COMMIT = 80, 144  # so are these: where the list of free pages begins, and the number of the commit
FAR = 0x4000  # a page in the map, and far behind the file


def is_a_tree(image, flags, node, _):
    """Each record says that it holds a tree of its own, which none of ours does: LMDB believes that, and follows a pointer that is not there."""
    if flags == LEAF and not image[node + 4] & SUB_TREE:
        image[node + 4] |= MANY


def leads_to_the_first_page(image, flags, node, i):
    """Each second way down leads to the page at which the file begins, which is none of the tree: LMDB comes there from the one beside it, and gives up by an assertion."""
    if flags == BRANCH and i % 2:
        image[node:node + 6] = bytes(6)


def leads_out(image, flags, node, _):
    """Each way down leads far behind the file, which says that it is so long."""
    if flags == BRANCH:
        image[node:node + 6] = struct.pack("<Q", FAR)[:6]
        for first in (0, PAGE):
            struct.pack_into("<Q", image, first + LAST_PAGE, FAR)


def leads_to_itself(image, flags, node, _):
    """Each way down leads to the page that it is on: LMDB gives up where it is deeper than any tree of its own, by an error."""
    if flags == BRANCH:
        image[node:node + 6] = struct.pack("<Q", node // PAGE)[:6]


def has_no_end(image, flags, node, _):
    """Its keys are all of one length, which is none for our tables, and there are less than none of them: LMDB looks among them for ever."""
    if flags == BRANCH:
        page = node // PAGE * PAGE
        struct.pack_into("<HH", image, page + 10, BRANCH | SAME_LENGTH, 0)


def free_list(image):
    """The pages of LMDB's list of free ones."""
    newest = max((0, PAGE), key=lambda first: struct.unpack_from("<Q", image, first + COMMIT))
    pages, left = set(), [struct.unpack_from("<Q", image, newest + FREE_ROOT)[0]]
    while left:
        page = left.pop()
        if page < len(image) // PAGE:
            pages.add(page)
            flags, lower = struct.unpack_from("<HH", image, page * PAGE + 10)
            nodes = struct.unpack_from("<%dH" % ((lower - HEAD) // 2), image, page * PAGE + HEAD) if flags == BRANCH else ()
            left += [int.from_bytes(image[page * PAGE + node:page * PAGE + node + 6], "little") for node in nodes]
    return pages


def spoil(path, how, holding=b""):
    """Change each node of the pages that hold this, but for the list of free pages: at that a start looks before LMDB does."""
    with open(path, "r+b") as f:
        image = bytearray(f.read())
        spared = free_list(image)
        for page in range(0, len(image), PAGE):
            flags, lower = struct.unpack_from("<HH", image, page + 10)
            if page // PAGE not in spared and flags in (BRANCH, LEAF) and HEAD <= lower < PAGE and holding in image[page:page + PAGE]:
                for i, node in enumerate(struct.unpack_from("<%dH" % ((lower - HEAD) // 2), image, page + HEAD)):
                    how(image, flags, page + node, i)
        f.seek(0)
        f.write(image)
