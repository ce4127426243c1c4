"""Threads, tasks and forks: settings, plans, interned objects and traces belong to the right one."""

import asyncio
import gc
import os
import pickle
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, channel, spatial, tensor, vec, wrap
from phi_tensor._plan import clear_plans
from phi_tensor._random import fresh_words
from phi_tensor.backends._numpy_quiet import quietly
from phi_tensor.testing import assert_close

THREADS = 8


@pytest.fixture(autouse=True)
def switch_often():
    """Threads take turns every 10 µs, so that races show."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def together(work, count=THREADS):
    """Results of `work(i)` in `count` threads that start at the same time."""
    barrier = threading.Barrier(count)

    def run(i):
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_threads_keep_their_own_precision_and_backend(backend):
    def work(i):
        bits = (16, 32, 64)[i % 3] if backend.name == "numpy" else (32, 64)[i % 2]
        default = backend if i % 2 else math.init_backend("numpy")
        for n in range(40):
            with math.precision(bits), math.on_backend(default):
                x = math.ones(spatial(x=n % 5 + 1)) * 2 + 1
                assert (x.dtype.precision, x.backend) == (bits, default)
                assert float(math.sum(x, "x")) == 3 * (n % 5 + 1)
                assert math.get_precision() == bits
            assert math.get_precision() == 32
        return True

    assert all(together(work))


def test_plans_are_made_and_forgotten_at_once(backend):
    """Global changes forget plans while others make and use them; no plan of old settings stays."""
    stop = threading.Event()
    x = tensor([1.0, 2.0, 3.0], spatial("x"))

    def change():
        for bits in (64, 32) * 20:
            math.set_global_precision(bits)
            clear_plans()
        stop.set()

    def work(i):
        n = 0
        while not stop.is_set() or n < 20:
            n += 1
            y = (x.x[: n % 3 + 1] * n + i) - i
            assert y.shape == spatial(x=n % 3 + 1)
            assert float(y.x[0]) == pytest.approx(n)
        return n

    try:
        changer = threading.Thread(target=change)
        changer.start()
        counts = together(work, 4)
        changer.join()
        assert min(counts) >= 20
        with ThreadPoolExecutor(1) as pool:  # without a block of its own: the global settings
            for bits in (64, 32):
                math.set_global_precision(bits)
                assert pool.submit(lambda: (x + 1).dtype.precision).result() == bits
    finally:
        math.set_global_precision(32)


def test_a_plan_made_during_a_global_change_is_not_kept(monkeypatch):
    """The race itself: the settings change between making a plan and keeping it."""
    from phi_tensor._plan import ROWS, RULES

    row = ROWS["add"]
    rule = RULES[row.kind]

    def slow(*args, **kwargs):
        plan = rule(*args, **kwargs)
        math.set_global_precision(64)
        return plan

    x = wrap(np.float32([1, 2]), spatial("x"))
    try:
        clear_plans()
        monkeypatch.setitem(RULES, row.kind, slow)
        x + 1
        monkeypatch.setitem(RULES, row.kind, rule)
        assert (x + 1).dtype.precision == 64
    finally:
        math.set_global_precision(32)


def test_objects_are_interned_once():
    def work(i):
        found = []
        for n in range(100):
            shape = batch(b=n + 1000) & spatial(x=2) & channel(vector="x,y")
            found.append((shape, shape.dims[0], pickle.loads(pickle.dumps(shape))))
        return found

    for entries in zip(*together(work), strict=True):
        shapes = {id(shape) for shape, _, _ in entries} | {id(copy) for _, _, copy in entries}
        assert len(shapes) == 1
        assert len({id(dim) for _, dim, _ in entries}) == 1


def test_tensors_are_pickled_by_many_threads(backend):
    data = [vec(x=tensor(np.full(3, n, np.float32), spatial("x")), y=1.0) for n in range(4)]

    def work(i):
        for n in range(20):
            x = data[(n + i) % 4]
            y = pickle.loads(pickle.dumps(x))
            assert y.layout is x.layout
            assert float(y["x"].x[0]) == (n + i) % 4
            if not n % 5:
                gc.collect(0)
        return True

    assert all(together(work))


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_threads_that_come_together_share_one_trace(backend):
    runs = []

    @math.jit_compile
    def f(x):
        runs.append(1)
        return math.sin(x) * 2 + 1

    def work(i):
        with math.on_backend(backend):
            results = [float(f(tensor([float(n)], spatial("x"))).x[0]) for n in range(5)]
        return results

    found = together(work)
    assert len(runs) == len(f.traces) == 1
    for results in found:
        assert results == pytest.approx([2 * np.sin(n) + 1 for n in range(5)], rel=1e-5)


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_threads_compile_different_functions_while_others_run_eagerly(backend):
    def work(i):
        with math.on_backend(backend), math.precision(64 if i % 2 else 32):
            x = tensor([1.0, 2.0, 3.0], spatial("x"))
            if i % 4 == 3:  # eager loops and derivatives beside compilations
                for _ in range(5):
                    y = math.iterate(lambda x: x + 1, 3, x)
                    g = math.gradient(math.l2_loss, get_output=False)(y)
                    assert not math.is_compiling()
                return float(g.x[0]), g.dtype.precision
            f = math.jit_compile(lambda x: math.iterate(lambda x: x + i, 3, x))
            y = f(x)
            assert len(f.traces) == 1
            assert math.trace_check(f, x)[0]
            return float(y.x[0]), y.dtype.precision

    found = together(work, 8)
    for i, (value, bits) in enumerate(found):
        assert value == (4 if i % 4 == 3 else 1 + 3 * i)
        assert bits == (64 if i % 2 else 32)


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_failures_of_many_threads_are_each_raised_once(backend):
    @math.jit_compile
    def f(x):
        math.report(x < 0, lambda value: math.Diverged("negative"))
        return x * 2

    f(tensor(1.0))

    def failures(read):
        try:
            read()
        except math.Diverged:
            return 1
        return 0

    def work(i):
        with math.on_backend(backend):
            return sum(failures(lambda n=n: float(f(tensor(-1.0 if n % 2 else 1.0)))) for n in range(20))

    assert sum(together(work)) == 10 * THREADS  # whichever thread reads first
    assert not failures(lambda: float(tensor(1.0)))


def test_tasks_keep_their_settings(backend):
    async def work(bits, default):
        for n in range(10):
            with math.precision(bits), math.on_backend(default):
                await asyncio.sleep(0)
                x = math.ones(spatial(x=n + 1)) + 1
                await asyncio.sleep(0)
                assert ((x * 2).dtype.precision, x.backend.name) == (bits, default)
        return bits

    async def all_of_them():
        return await asyncio.gather(*(work(bits, b) for bits in (32, 64) for b in ("numpy", backend.name)))

    assert asyncio.run(all_of_them()) == [32, 32, 64, 64]
    assert_close(math.ones(spatial(x=1)) + 1, tensor([2.0], spatial("x")))


def test_tasks_keep_their_blocks_of_backends(backend):
    numpy = math.init_backend("numpy")

    async def work(outer, inner):
        with outer:
            await asyncio.sleep(0)
            with inner:
                await asyncio.sleep(0)
                assert math.default_backend() is inner
            await asyncio.sleep(0)
            assert math.default_backend() is outer

    async def both():
        await asyncio.gather(work(numpy, backend), work(backend, numpy), work(backend, backend))

    asyncio.run(both())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forking_waits_for_locks():
    from phi_tensor._dim import _LOCK

    held = threading.Event()

    def hold():
        with _LOCK:
            held.set()
            time.sleep(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # see below
        child = os.fork()
    if not child:
        os._exit(0 if spatial(x=987654).size == 987654 else 1)
    thread.join()
    assert wait_for(child, 5) == 0


def words_in_child():
    """What a forked process draws, as bytes."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other tests leave threads behind
        child = os.fork()
    if not child:
        os.write(writer, repr([fresh_words() for _ in range(3)]).encode())
        os._exit(0)
    assert wait_for(child, 5) == 0
    found = os.read(reader, 1000)
    os.close(reader)
    os.close(writer)
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_processes_draw_other_keys():
    def draws():
        math.seed(7)
        children = [words_in_child() for _ in range(2)]
        return [*children, repr([fresh_words() for _ in range(3)]).encode(), words_in_child()]

    found = draws()
    assert len(set(found)) == 4
    assert draws() == found  # reproducible


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_processes_go_on():
    """A child finds the locks free that other threads of its parent held."""
    stop = threading.Event()

    def make_shapes():
        n = 0
        while not stop.is_set():
            n += 1
            (wrap(np.zeros(n % 50 + 1), spatial("x")) + 1).x[:1]
            if not n % 10:
                clear_plans()

    threads = [threading.Thread(target=make_shapes) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for n in range(6):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # forking while threads run is what is tested
                child = os.fork()
            if not child:
                try:
                    x = wrap(np.ones(100 + n), spatial("x")) * 2 + batch_of(n)
                    os._exit(0 if float(x.x[0].b[0]) == 2 and spatial(x=3) is spatial(x=3) else 1)
                finally:
                    os._exit(2)
            assert wait_for(child) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def batch_of(n):
    return wrap(np.zeros(n + 1), batch("b"))


def wait_for(child, seconds=20):
    """Exit status of a child process; it is killed if it hangs."""
    import signal

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


def test_warnings_stay_away_in_many_threads_and_in_code_that_interrupts(backend):
    x = tensor(wrap([0.0, 1.0], spatial("x")))
    expected = wrap([-np.inf, 0.0], spatial("x"))
    for found in together(lambda i: [math.log(x) for _ in range(50)]):
        assert_close(found[-1], expected)
    inside = []

    class Asking(float):
        """A number whose conversion runs an operation, as a finaliser may in the middle of another one."""

        def __float__(self):
            inside.append(math.log(x))
            return 1.0

    def interrupted(value):
        inside.append(quietly(np.log, 1)(value))
        return float(Asking())

    assert quietly(interrupted, 1)(np.zeros(2)) == 1.0
    assert len(inside) == 2
    assert_close(inside[1], expected)
