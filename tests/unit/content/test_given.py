from peerage.content.given import Given, Upload


def test_uploads_add_up_and_the_latest_comes_first():
    given = Given()
    given.add(b"a", b"x", 10, 1.0)
    given.add(b"b", b"x", 5, 2.0)
    given.add(b"a", b"x", 7, 3.0)
    assert given.all() == [Upload(b"a", b"x", 17, 1.0, 3.0), Upload(b"b", b"x", 5, 2.0, 2.0)]


def test_attack_many_peers_fill_no_memory():
    given = Given(3)
    for number in range(10):
        given.add(bytes([number]), b"x", 1, float(number))
    assert [upload.peer_id for upload in given.all()] == [b"\x09", b"\x08", b"\x07"]
