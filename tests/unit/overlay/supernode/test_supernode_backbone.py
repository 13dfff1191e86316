import random

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.supernode.backbone import Backbone
from peerage.overlay.supernode.messages import Load
from peerage.overlay.supernode.rules import SupernodeRules

RULES = SupernodeRules(degree=8, per_subnet=2)
IDLE = Load(0, 100, 0)


def peer(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def place(number: int) -> Address:
    return Address(f"20.{number // 250}.{number % 250}.1", 7411)


def backbone(count: int, load: Load = IDLE) -> Backbone:
    made = Backbone(RULES, random.Random(1))
    for number in range(count):
        made.add(peer(number), place(number), load)
    return made


def test_links_are_sought_until_there_are_enough():
    assert backbone(0).missing == 8
    assert backbone(8).missing == 0
    assert backbone(12).missing == 0


def test_more_than_enough_are_taken_up_to_a_bound():
    one = backbone(15)
    assert one.take(peer(20), place(20), Load(0, 0, 8)) == (True, None)
    assert one.take(peer(21), place(21), Load(0, 0, 8)) == (False, None)
    assert one.take(peer(20), place(20), Load(5, 0, 8)) == (True, None)
    assert len(one) == 16


def test_who_has_few_links_takes_the_place_of_another():
    one = backbone(16)
    taken, out = one.take(peer(20), place(20), Load(0, 0, 1))
    assert taken
    assert out is not None
    assert out not in one
    assert peer(20) in one
    assert len(one) == 16


def test_of_one_subnet_only_a_few_are_linked():
    one = backbone(0)
    taken = [one.take(peer(number), Address(f"20.1.1.{number + 1}", 7411), IDLE)[0] for number in range(4)]
    assert taken == [True, True, False, False]
    assert not one.suits((Address("20.1.1.99", 1),))
    assert one.suits((Address("20.1.2.99", 1),))


def test_the_larger_ones_are_told_by_leaves_and_then_by_id():
    one = backbone(3, Load(10, 5, 8))
    assert one.larger(peer(1), 10) == 1
    assert one.larger(peer(1), 9) == 3
    assert one.larger(peer(1), 11) == 0
    one.note(peer(2), Load(10, 0, 8))
    assert one.larger(peer(1), 10) == 0
    assert sorted(one.with_room()) == [peer(0), peer(1)]
    one.note(peer(9), Load(99, 9, 9))
    assert len(one) == 3


def test_three_are_always_left_when_all_step_down_by_the_rule():
    """Whatever the loads: whoever sees three larger ones goes, and at least three see fewer."""
    rng = random.Random(4)
    for _ in range(50):
        loads = {peer(number): Load(rng.randrange(4), rng.randrange(3), 0) for number in range(6)}
        stay = 0
        for own_id, load in loads.items():
            one = Backbone(RULES, rng)
            for number, (other, theirs) in enumerate(loads.items()):
                if other != own_id:
                    one.add(other, place(number), theirs)
            stay += one.larger(own_id, load.leaves) < 3
        assert stay >= 3


def test_how_many_there_are_is_reckoned_from_what_others_tell():
    rng = random.Random(2)
    one = backbone(8)
    assert one.size == 9
    for _ in range(60):
        one.note_told(peer(rng.randrange(100)) for _ in range(8))
    assert 60 <= one.size <= 160
    for _ in range(60):
        one.note_told(peer(rng.randrange(8)) for _ in range(8))
    assert one.size <= 12


def tell(one: Backbone, rng: random.Random, others: int, times: int) -> None:
    """Let linked ones tell of some of `others`, themselves left out."""
    for _ in range(times):
        teller = rng.choice(sorted(one.peers))
        told = [peer(number) for number in rng.sample(range(others), 9)]
        one.note_told(each for each in told if each != teller)


def test_links_that_have_just_been_made_do_not_make_it_seem_as_if_there_were_more():
    rng = random.Random(3)
    sizes = []
    for _ in range(20):
        one = backbone(2)
        tell(one, rng, 40, 6)
        for number in range(2, 8):
            one.add(peer(number), place(number), IDLE)
        sizes.append(one.size)
    assert 25 <= sorted(sizes)[10] <= 60  # of 41; with the links of now there seemed to be more than a hundred


def test_the_number_of_all_is_right_in_the_mean():
    rng = random.Random(4)
    sizes = []
    for _ in range(40):
        one = backbone(8)
        tell(one, rng, 60, 40)
        sizes.append(one.size)
    assert 55 <= sum(sizes) / len(sizes) <= 68
