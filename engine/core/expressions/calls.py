"""Calls of functions and filters as closures: names, arguments and literals are checked here."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes

from engine.core.expressions.compare import CompileNode
from engine.core.expressions.durations import DurationError, parse_duration
from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.filters import FILTER_NAMES, FILTERS, REQUIRED, At
from engine.core.expressions.functions import (
    DATE_FUNCTIONS,
    FUNCTION_NAMES,
    date_function,
    event_count,
    has_event,
    visits,
)
from engine.core.expressions.operators import Evaluate
from engine.core.expressions.references import Reading, constant_of, did_you_mean
from engine.core.expressions.scope import Scope

__all__ = ["FUNCTION_NAMES", "compile_call", "compile_filter", "default_arguments", "subject"]

_OTHER_NAMES = {
    "len": "length",
    "count": "length",
    "size": "length",
    "str": "string",
    "strip": "trim",
    "lowercase": "lower",
    "uppercase": "upper",
    "json": "tojson",
    "dumps": "tojson",
    "d": "default",
    "coalesce": "default",
    "number": "float",
    "substring": "truncate",
}

_CLOCK = "parts of the clock are cut from `now | string`: see Parts of the clock in the docs"
_ABSENT = {
    **dict.fromkeys(("strftime", "strptime", "dateformat", "date_format", "format_date"), _CLOCK),
    **dict.fromkeys(("weekday", "isoweekday", "dayofweek", "day_of_week"), _CLOCK),
    **dict.fromkeys(("today", "hour", "month", "year", "day", "time"), _CLOCK),
    **dict.fromkeys(("startswith", "starts_with"), "x | truncate(3, true, '') == 'abc'"),
    **dict.fromkeys(("endswith", "ends_with", "contains"), "did you mean: 'abc' in x?"),
}
"""What is called by other languages' names and has none here, and what says it instead."""

_EXAMPLES = {
    **{name: f"as in {name}(user.created_at)" for name in DATE_FUNCTIONS},
    "visits": "as in visits(greet)",
    "has_event": "as in has_event('order_placed')",
    "event_count": "as in event_count('order_placed')",
    "map": "as in map('name')",
    "replace": "as in replace('old', 'new')",
}

Parameters = tuple[tuple[str, object], ...]


def subject(node: nodes.Filter) -> nodes.Expr:
    """What the filter is applied to."""
    if node.node is None:
        raise ExpressionError(f"'{node.name}' has nothing to filter", node.lineno)
    return node.node


def compile_filter(node: nodes.Filter, reading: Reading, compile_node: CompileNode) -> Evaluate:
    """``x | name(arguments)``, for every filter but ``default``."""
    filter_ = FILTERS.get(node.name)
    if filter_ is None:
        raise ExpressionError(
            f"unknown filter '{node.name}'", node.lineno, _filter_remedy(node.name)
        )
    inner = compile_node(subject(node), reading)
    bound = _bind(node, node.name, filter_.parameters)
    run, excerpt = filter_.run, reading.excerpt
    arguments: list[Evaluate] = [
        compile_node(argument, reading) if isinstance(argument, nodes.Expr) else _fixed(argument)
        for argument in bound
    ]

    def filtered(scope: Scope) -> object:
        value = inner(scope)
        if value is None:
            return None
        return run(At(scope, excerpt), value, *[argument(scope) for argument in arguments])

    return filtered


def _filter_remedy(name: str) -> str:
    if name in _ABSENT:
        return _ABSENT[name]
    if name in _OTHER_NAMES:
        return f"did you mean '{_OTHER_NAMES[name]}'?"
    return did_you_mean(name, FILTER_NAMES) or f"there are {', '.join(sorted(FILTER_NAMES))}"


def _fixed(value: object) -> Evaluate:
    return lambda scope: value


def default_arguments(node: nodes.Filter) -> tuple[nodes.Expr, bool]:
    """Of ``default(value='', boolean=false)``: the value, and whether it also stands for falsy."""
    value, falsy = _bind(node, "default", (("value", ""), ("boolean", False)))
    if isinstance(falsy, nodes.Expr):
        known, falsy = constant_of(falsy)
        if not known or not isinstance(falsy, bool):
            raise ExpressionError("'boolean' of default is true or false", node.lineno)
    return (value if isinstance(value, nodes.Expr) else nodes.Const(value)), bool(falsy)


def _bind(node: nodes.Filter | nodes.Call, name: str, parameters: Parameters) -> list[object]:
    """One node, or the default, for each of ``parameters``."""
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise ExpressionError("'*' has no place in a call", node.lineno)
    if len(node.args) > len(parameters):
        most = len(parameters) or "no"
        raise ExpressionError(f"'{name}' takes {most} argument(s)", node.lineno)
    bound: dict[str, object] = {
        parameter: argument for (parameter, _), argument in zip(parameters, node.args, strict=False)
    }
    names = [parameter for parameter, _ in parameters]
    for keyword in node.kwargs:
        if not isinstance(keyword, nodes.Keyword) or keyword.key not in names:
            key = getattr(keyword, "key", "")
            raise ExpressionError(
                f"'{name}' has no argument '{key}'", node.lineno, did_you_mean(str(key), names)
            )
        if keyword.key in bound:
            raise ExpressionError(f"'{keyword.key}' is given twice", node.lineno)
        bound[keyword.key] = keyword.value
    for parameter, default in parameters:
        if bound.setdefault(parameter, default) is REQUIRED:
            raise ExpressionError(
                f"'{name}' needs '{parameter}'", node.lineno, _EXAMPLES.get(name, "")
            )
    return [bound[parameter] for parameter in names]


def compile_call(node: nodes.Call, reading: Reading, compile_node: CompileNode) -> Evaluate:
    """``name(arguments)``; a method of a value is no function and is refused."""
    if not isinstance(node.node, nodes.Name):
        raise ExpressionError("only functions are called", node.lineno, _method_remedy(node.node))
    name = node.node.name
    if name in DATE_FUNCTIONS:
        (argument,) = _bind(node, name, (("date", REQUIRED),))
        assert isinstance(argument, nodes.Expr)  # noqa: S101 - for the type checker
        reading.functions.add((name,))
        reading.depends_on_time = reading.depends_on_time or name != "date"
        return date_function(name, compile_node(argument, reading), reading)
    if name == "visits":
        return _visits(node, reading)
    event_function = _EVENT_FUNCTIONS.get(name)
    if event_function is not None:
        return event_function(*_event_and_window(node, name, reading))
    raise ExpressionError(f"unknown function '{name}'", node.node.lineno, _function_remedy(name))


_EVENT_FUNCTIONS: dict[str, Callable[[str, int | None], Evaluate]] = {
    "has_event": has_event,
    "event_count": event_count,
}


def _visits(node: nodes.Call, reading: Reading) -> Evaluate:
    (argument,) = _bind(node, "visits", (("step", REQUIRED),))
    step = constant_of(argument)[1] if isinstance(argument, nodes.Expr) else None
    if isinstance(argument, nodes.Name):
        step = argument.name
    if not isinstance(step, str):
        raise ExpressionError("visits takes the id of a step", node.lineno, "as in visits(greet)")
    reading.functions.add(("visits", step))
    return visits(step)


def _event_and_window(node: nodes.Call, name: str, reading: Reading) -> tuple[str, int | None]:
    event_node, window_node = _bind(node, name, (("name", REQUIRED), ("within", None)))
    event = constant_of(event_node)[1] if isinstance(event_node, nodes.Expr) else None
    if not isinstance(event, str) or not event:
        written = event_node.name if isinstance(event_node, nodes.Name) else "order_placed"
        remedy = f"as in {name}('{written}')"
        raise ExpressionError(f"{name} takes the event's name in quotes", node.lineno, remedy)
    if window_node is None:
        reading.functions.add((name, event))
        return event, None
    window = constant_of(window_node)[1] if isinstance(window_node, nodes.Expr) else None
    if not isinstance(window, str):
        raise ExpressionError(
            f"the window of {name} is a duration in quotes", node.lineno, "as in within='P7D'"
        )
    try:
        length = parse_duration(window).microseconds
    except DurationError as error:
        raise ExpressionError(error.message, node.lineno, error.remedy) from None
    reading.functions.add((name, event, window))
    reading.depends_on_time = True
    return event, length


def _function_remedy(name: str) -> str:
    if name == "now":
        return "now stands without ( )"
    if name in _ABSENT:
        return _ABSENT[name]
    as_filter = _OTHER_NAMES.get(name, name)
    if name == "count":
        return "it is a filter: x | length; events are counted by event_count('order_placed')"
    if as_filter in FILTER_NAMES:
        return f"it is a filter: x | {as_filter}"
    return did_you_mean(name, FUNCTION_NAMES) or f"there are {', '.join(sorted(FUNCTION_NAMES))}"


def _method_remedy(node: nodes.Expr) -> str:
    if not isinstance(node, nodes.Getattr):
        return ""
    as_filter = _OTHER_NAMES.get(node.attr, node.attr)
    if as_filter in FILTER_NAMES:
        return f"it is a filter: x | {as_filter}"
    return _ABSENT.get(node.attr, "")
