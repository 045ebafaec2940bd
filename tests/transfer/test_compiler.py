import threading

import jax
import numpy as np
import pytest
from problems import picture, random_weights

from stylejax import LossOptions, Options, SolverOptions, read_weights
from stylejax.transfer import compiler as compiling
from stylejax.transfer.compiler import Compiler, Task, signature_of, task_of_call
from stylejax.transfer.problem import make_problem

X = np.arange(3, dtype=np.float32)


class Shelf(dict):
    """Programs by name, as files would keep them."""

    def load(self, name, signature):
        return self.get((name, signature))

    def save(self, name, signature, programs):
        self[name, signature] = programs


def counted(made, name="double"):
    """A task that adds its name to a list when it is made."""

    def make():
        made.append(name)
        return lambda x: 2 * x

    return Task(name, (X,), lambda: [make])


def test_a_signature_is_of_shapes_and_structure_alone():
    assert signature_of((X, {"a": X})) == signature_of((X + 1, {"a": jax.numpy.asarray(X)}))
    others = [(X, {"b": X}), (X[:2], {"a": X}), (X.astype(np.int32), {"a": X})]
    assert not {signature_of((X, {"a": X}))} & set(map(signature_of, others))


def test_a_program_is_made_once_whoever_asks():
    begun, go, made, results = threading.Event(), threading.Event(), [], []

    def make():
        made.append(1)
        begun.set()
        assert go.wait(60)
        return abs

    compiler = Compiler()
    ask = lambda: results.append(compiler.programs(Task("slow", (X,), lambda: [make])))
    threads = [threading.Thread(target=ask) for _ in range(2)]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join()
    assert made == [1] and results == [[abs], [abs]] and compiler.seconds_waited > 0


def fail():
    raise MemoryError("too large")


@pytest.mark.parametrize("lower", [fail, lambda: [fail]])
def test_what_could_not_be_made_is_tried_again(lower):
    compiler, made = Compiler(), []
    with pytest.raises(MemoryError, match="too large"):
        compiler.programs(Task("double", (X,), lower))
    compiler.programs(counted(made))
    assert made == ["double"]


def test_a_plan_is_begun_by_the_first_program_that_is_not_there():
    shelf, made = Shelf(), []
    for expected in (["double", "first", "second", "third"], []):
        made.clear()
        compiler = Compiler(jax.devices()[0], shelf)
        compiler.plan(
            lambda made=made: [
                lambda: [counted(made, "first")],
                lambda: [counted(made, "second"), counted(made, "third")],
            ]
        )
        compiler.programs(counted(made))
        compiler.close(keep=True)
        assert sorted(made) == expected
    assert sorted(name for name, _ in shelf) == ["double", "first", "second", "third"]


def test_a_program_that_is_called_once_is_kept_before_it_runs(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    shelf, made, go = Shelf(), [], threading.Event()

    def slow():
        go.wait(30)
        return abs

    compiler = Compiler(jax.devices()[0], shelf)
    compiler.plan(lambda: [lambda: [Task("slow", (X,), lambda: [slow])]])
    compiler.programs(counted(made, "at once")._replace(keep_at_once=True))
    compiler.programs(counted(made, "later"))
    # The only thread is busy.
    assert [name for name, _ in shelf] == ["at once"]
    go.set()
    compiler.close(keep=True)
    assert sorted(name for name, _ in shelf) == ["at once", "later", "slow"]
    assert task_of_call(jax.jit(abs), (X,), "cpu").keep_at_once


def test_what_jax_has_read_from_its_cache_is_not_kept():
    shelf = Shelf()

    def make():
        jax.monitoring.record_event("/jax/compilation_cache/cache_hits")
        return abs

    Compiler(shelf=shelf).programs(Task("read", (X,), lambda: [make]))
    Compiler(shelf=shelf).programs(counted([]))
    assert [name for name, _ in shelf] == ["double"]


def test_what_is_waited_for_longest_is_traced_first_and_one_after_the_other():
    traced, busy = [], threading.Lock()

    def task(name):
        def lower():
            assert busy.acquire(blocking=False)
            traced.append(name)
            busy.release()
            return [lambda: abs]

        return Task(name, (X,), lower)

    compiler = Compiler()
    compiler.plan(lambda: [lambda: [task("first")], lambda: [task("second")]])
    compiler.programs(task("asked"))
    compiler.close(keep=True)
    assert traced[0] == "first" and sorted(traced[1:]) == ["asked", "second"]


def test_a_plan_that_fails_leaves_its_program_to_whoever_asks():
    compiler, made = Compiler(), []
    compiler.plan(lambda: [lambda: [Task("double", (X,), fail)]])
    compiler.programs(counted(made, "asked"))
    compiler.programs(counted(made))
    assert made == ["asked", "double"]


def test_nothing_is_begun_after_the_end():
    made = []
    compiler = Compiler(shelf=Shelf())
    compiler.plan(lambda: [lambda: [counted(made, "ahead")]])
    compiler.close(keep=False)
    compiler.programs(counted(made))
    assert made == ["double"]


def test_a_call_has_the_functions_result():
    function = jax.jit(lambda x, y: {"sum": x + y})
    np.testing.assert_array_equal(Compiler().call(function, X, X)["sum"], 2 * X)
    (make,) = task_of_call(function, (X, X), "gpu").lower()
    program = make()
    np.testing.assert_array_equal(program(X, X)["sum"], 2 * X)


def test_every_program_of_a_solve_that_has_been_read_says_so():
    # What XLA has read must not be kept once more: parts of it are missing then.
    loss = LossOptions(content_layers=("pool1",), style_layers=("input",))
    options = Options(loss=loss, solve=SolverOptions(levels=1))
    image, read = picture(33, 35), []
    for _ in range(3):
        problem = make_problem(read_weights(random_weights()), image, [image], options, image)
        before = compiling._cache_hits()
        problem.compiled()
        read.append(compiling._cache_hits() - before)
    assert read[1:] == [3, 3]
