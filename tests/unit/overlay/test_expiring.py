from hypothesis import given
from hypothesis import strategies as st

from peerage.overlay.expiring import ExpiringTable


def test_an_entry_ends_with_its_life():
    table = ExpiringTable(10, 5.0)
    table.put("key", 1, 0.0)
    assert table.get("key", 4.9) == 1
    assert table.get("key", 5.0) is None


def test_an_entry_put_again_begins_a_new_life():
    table = ExpiringTable(10, 5.0)
    table.put("key", 1, 0.0)
    table.put("key", 2, 4.0)
    assert table.get("key", 8.0) == 2


def test_an_entry_can_be_removed():
    table = ExpiringTable(10, 5.0)
    table.put("key", 1, 0.0)
    table.remove("key")
    table.remove("key")
    assert table.get("key", 0.0) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 3)), max_size=50))
def test_it_holds_the_newest_of_those_alive(events):
    table, now, model = ExpiringTable(4, 5.0), 0.0, {}
    for key, pause in events:
        now += pause
        table.put(key, now, now)
        model.pop(key, None)
        model[key] = now
        model = dict(list({each: put for each, put in model.items() if put + 5.0 > now}.items())[-4:])
        assert len(table) == len(model) <= 4
        assert {each: table.get(each, now) for each in range(10)} == {each: model.get(each) for each in range(10)}
