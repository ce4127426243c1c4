"""Looking into running programs: observed values, clocks, printed gradients, traces, profiles."""

import contextvars
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import phi_tensor as math
from phi_tensor import Unsupported, batch, spatial, tensor, vec, wrap
from phi_tensor._plan import WRAPPERS
from phi_tensor.testing import assert_close

# --- observed values


def test_eager_values_are_shown_at_once(backend):
    found = []
    math.when_available(lambda x, name: found.append((float(x), name)), tensor(2.0), "n")
    assert found == [(2.0, "n")]
    assert math.all_available(tensor(1.0), {"a": [vec(x=1.0)]}, None)


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_a53_intermediate_values_are_hidden_outputs(backend):
    found = []

    @math.jit_compile
    def f(x):
        y = x * 2
        assert not math.all_available(y)
        math.when_available(
            lambda *values: found.append([v.numpy(v.shape) for v in values]), y, x, vec(a=1.0)
        )
        return y + 1

    for value in (1.0, 2.0, 3.0):
        assert_close(f(tensor([value], spatial("x"))), tensor([2 * value + 1], spatial("x")))
    assert len(f.traces) == 1
    assert [[float(v[0]) for v in values] for values in found] == [[2, 1, 1], [4, 2, 1], [6, 3, 1]]
    with math.checked("never"):
        f(tensor([1.0], spatial("x")))
    assert len(found) == 3


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_values_inside_loops_are_shown_step_by_step(backend):
    found = []

    def inner(x):
        math.when_available(lambda x, n: found.append((float(x), n)), x, "inner")
        return x + 1

    def outer(x):
        math.when_available(lambda x: found.append(float(x)), x)
        return math.iterate(inner, 2, x) * 10

    run = math.jit_compile(lambda x: math.iterate(outer, 2, x))
    assert float(run(tensor(1.0))) == 320
    assert [x for x in found if not isinstance(x, tuple)] == [1, 30]
    assert [x for x, _ in (f for f in found if isinstance(f, tuple))] == [1, 2, 30, 31]
    with pytest.raises(Unsupported, match="while_loop"):
        math.jit_compile(lambda x: math.while_loop(lambda x: x < 3, inner, x))(tensor(1.0))


@pytest.mark.needs("reverse")
def test_values_pass_out_of_derivatives(backend, execution):
    found = []

    def f(x):
        y = x * x
        math.when_available(lambda y: found.append(float(y)), y)
        return y

    assert float(execution(math.gradient(f, get_output=False))(tensor(3.0))) == 6
    assert found == [9]


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_what_observers_raise_reaches_the_caller(backend):
    def fail(x):
        raise ZeroDivisionError(f"at {float(x)}")

    f = math.jit_compile(lambda x: math.when_available(fail, x + 1) or x)
    f_failed = pytest.raises(ZeroDivisionError, match=r"at 2\.0")
    with f_failed:
        f(tensor(1.0))


# --- clocks


def test_clock_waits(backend):
    start = math.perf_counter(tensor(1.0))
    assert math.perf_counter({"a": tensor(2.0)}, 3) >= start


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_compiled_code_has_no_clock(backend):
    with pytest.raises(Unsupported, match="clock"):
        math.jit_compile(lambda x: x + math.perf_counter(x))(tensor(1.0))


# --- gradients


@pytest.mark.needs("reverse")
def test_gradients_are_printed(backend, execution, capfd):
    def f(x):
        named = math.print_gradient({"v": x}, "velocity")["v"]
        return math.l2_loss(3 * math.print_gradient(named, detailed=True))

    result = execution(math.gradient(f, get_output=False))(vec(x=1.0, y=2.0))
    assert_close(result, vec(x=9.0, y=18.0))
    if backend.name == "jax":
        import jax

        jax.effects_barrier()
    printed = capfd.readouterr().out
    assert "gradient of velocity: (x=9.0, y=18.0)" in printed
    assert "gradient of a value: [ 9. 18.]" in printed


def test_numpy_has_no_gradients_to_print():
    assert_close(math.print_gradient(wrap(1.0)), wrap(1.0))


# --- traces


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_a54_trace_check_knows_constant_inputs(backend):
    f = math.jit_compile(lambda x, k=1: x + k, auxiliary_args="k")
    x = math.ones(spatial(x=3))
    assert math.trace_check(f, x) == (False, "Nothing was traced yet.")
    f(x)
    for same in (x, x * 2, math.zeros(spatial(x=3)), tensor([1.0, 2.0, 3.0], spatial("x"))):
        assert math.trace_check(f, same) == (True, "")
        f(same)
    assert len(f.traces) == 1
    reasons = {
        "x:s=4": (math.ones(spatial(x=4)),),
        "x:b=3": (math.ones(batch(x=3)),),
        "auxiliary_args": (x, 2),
        "structure": ([x],),
        "int32": (math.to_int32(x),),
    }
    for expected, args in reasons.items():
        found, why = math.trace_check(f, *args)
        assert not found
        assert expected in why
    with math.precision(64):
        assert "settings" in math.trace_check(f, x)[1]


@pytest.mark.compiled
@pytest.mark.needs("reverse")
def test_a20_trace_check_of_derivatives_and_custom_functions(backend):
    inner = math.jit_compile(math.l2_loss)
    x = vec(x=1.0, y=2.0)
    for f in (
        math.gradient(inner),
        math.custom_gradient(math.l2_loss, lambda inputs, y, dy: {"x": dy}),
        math.jacobian(math.l2_loss),
        math.l2_loss,
    ):
        found, why = math.trace_check(f, x)
        assert not found
        assert "not compiled" in why
    assert "traced as part" in math.trace_check(math.gradient(inner), x)[1]
    compiled = math.jit_compile(math.gradient(math.l2_loss, get_output=False))
    compiled(x)
    assert math.trace_check(compiled, x)[0]


def test_trace_check_where_nothing_compiles():
    f = math.jit_compile(lambda x: x)
    assert "no compiler" in math.trace_check(f, wrap(1.0))[1]


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_a26_traces_know_element_types(backend):
    f = math.jit_compile(lambda x: x / 2)
    assert_close(f(tensor([3], spatial("x"))), tensor([1.5], spatial("x")))
    assert not math.trace_check(f, tensor([3.5], spatial("x")))[0]
    assert_close(f(tensor([3.5], spatial("x"))), tensor([1.75], spatial("x")))
    assert len(f.traces) == 2


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_traces_follow_the_global_settings(backend):
    f = math.jit_compile(lambda x: x + 1)
    try:
        for bits in (64, 32, 64):
            math.set_global_precision(bits)
            with math.on_backend("numpy"):  # the fixture's block would hide the global settings
                pass
            assert run_without_block(f, backend).dtype.precision == bits
    finally:
        math.set_global_precision(32)


def run_without_block(f, backend):
    """`f` in a thread, where no `with` block holds."""
    from concurrent.futures import ThreadPoolExecutor

    x = math.convert(wrap([1.0], spatial("x")), backend)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(f, x).result()


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_traced_tensors_have_a_text(backend):
    texts = []
    math.jit_compile(lambda x: texts.append((repr(x), f"{x:.2f}", str(x + 1))) or x)(vec(x=1.0))
    assert all("(vector:c=x) float32 traced" in text for text in texts[0])


# --- profiles


def test_profile_counts_calls_plans_and_time(backend, tmp_path):
    x = math.ones(spatial(x=3)) * tensor([1.0, 2.0, 3.0], spatial("x"))
    with math.profile(save=tmp_path / "trace.json") as measured:
        for _ in range(3):
            y = math.sin(x) + 1
        math.sin(y.x[0])
    uses = {use.row: use for use in measured.uses}
    assert isinstance(measured, math.Profile)
    assert (uses["sin"].calls, uses["sin"].plans, uses["sin"].backend) == (4, 2, backend.name)
    assert (uses["add"].calls, uses["add"].plans) == (3, 1)
    assert 0 < sum(use.seconds for use in measured.uses) < measured.duration
    assert "sin" in str(measured)
    events = json.loads((tmp_path / "trace.json").read_text("utf-8"))["traceEvents"]
    assert [e["name"] for e in events].count("sin") == 4
    math.sin(x)
    assert measured.uses == tuple(sorted(uses.values(), key=lambda use: -use.seconds))


def test_profiles_of_many_threads(backend):
    """No thread measures another one's calls, and nothing is left behind when all have ended."""
    x = tensor([1.0, 2.0], spatial("x"))
    counts = []

    def work(n):
        for _ in range(20):
            with math.profile() as measured:
                for _ in range(n):
                    math.sin(math.cos(x))
            counts.append((n, {use.row: use.calls for use in measured.uses}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, (1, 2, 3, 4)))
    assert len(counts) == 80
    assert all(found == {"sin": n, "cos": n} for n, found in counts)
    assert not WRAPPERS


def test_profiles_count_threads_that_have_their_context(backend):
    x = tensor([1.0, 2.0], spatial("x"))

    def work(_):
        for _ in range(50):
            math.sin(x)

    with math.profile() as measured, ThreadPoolExecutor(4) as pool:
        contexts = [contextvars.copy_context() for _ in range(4)]
        list(pool.map(lambda context: context.run(work, None), contexts))
    (use,) = measured.uses
    assert use.calls == 200
    assert use.seconds > 0


def test_profile_of_chosen_backends_and_with_planning(backend):
    x = tensor([1.0], spatial("x"))
    with math.profile(backends=["numpy"]) as measured:
        math.sin(x)
    assert bool(measured.uses) is backend.mixes
    with math.profile(subtract_trace_time=False) as with_planning, math.profile() as without:
        math.sin(x)
    assert without.uses
    assert not with_planning.uses  # the inner one has it
    with math.profile(subtract_trace_time=False) as with_planning:
        math.cos(x)
    assert with_planning.uses[0].seconds > 0


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_profile_of_compiled_functions(backend):
    f = math.jit_compile(lambda x: math.sin(x) + 1)
    with math.profile() as measured:
        f(tensor([1.0], spatial("x")))
        f(tensor([2.0], spatial("x")))
    uses = {use.row: use for use in measured.uses}
    assert uses["jit"].calls == 2
    assert uses["trace"].calls == 1
    assert uses["trace"].seconds > 0
