"""Programs of the tests without .py, as modules."""
import importlib.machinery
import importlib.util
import os

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def program(*place):
    loader = importlib.machinery.SourceFileLoader(place[-1], os.path.join(TESTS, *place))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(place[-1], loader))
    loader.exec_module(module)
    return module
