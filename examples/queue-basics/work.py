"""The work itself. It knows neither HTTP nor queues, so that both can do it."""

import json


def plus_one(text):
    """`{"input": 1}` becomes 2; anything else is refused with a reason."""
    value = json.loads(text)
    if not isinstance(value, dict) or set(value) != {"input"}:
        raise ValueError('there must be "input" and nothing else')
    if type(value["input"]) is not int:
        raise ValueError('"input" must be a whole number')
    return value["input"] + 1
