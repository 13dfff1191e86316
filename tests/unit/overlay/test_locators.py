from peerage.overlay.locators import LocatorTable, locator_of


def content(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_a_locator_is_not_the_content_id():
    assert len(locator_of(content(1))) == 32
    assert locator_of(content(1)) not in {content(1), locator_of(content(2))}


def test_what_was_added_is_found_until_it_is_removed():
    table = LocatorTable()
    table.add([content(1), content(2)])
    assert table.find(locator_of(content(1))) == content(1)
    table.remove(content(1))
    assert table.find(locator_of(content(1))) is None
    assert table.find(locator_of(content(2))) == content(2)


def test_a_locator_that_only_begins_alike_is_another_one():
    table = LocatorTable()
    table.add([content(1)])
    assert table.find(locator_of(content(1))[:-1] + b"x") is None


def test_further_contents_are_found_too():
    table = LocatorTable()
    assert table.find(locator_of(content(3)), [content(1), content(3)]) == content(3)
    assert table.find(locator_of(content(4)), [content(1), content(3)]) is None


def test_the_oldest_give_way():
    table = LocatorTable(maximum=3)
    table.add(map(content, range(10)))
    assert len(table) == 3
    assert [number for number in range(10) if table.find(locator_of(content(number)))] == [7, 8, 9]
