import random

from dht_samples import OWN, contact, peer_id, rules
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.overlay.dht.contacts import SPACE, number_of
from peerage.overlay.dht.lookup import Lookup, LookupPlan

TARGET = SPACE // 3
END = 100.0


def lookup(seeds=(), *, enough=20, paths=4, **changes):
    made = Lookup(TARGET, OWN, LookupPlan(enough, paths, END), rules(**changes))
    made.begin(seeds)
    return made


class Model:
    """A network in which everybody knows the nearest of some random others."""

    def __init__(self, rng, peers, known=150):
        self.rng = rng
        self.numbers = [rng.getrandbits(256) for _ in range(peers)]
        self.known = known
        self.dead = set()

    def answer(self, number):
        near = sorted(self.numbers, key=lambda each: each ^ number)[:20]
        some = self.rng.sample(self.numbers, min(self.known, len(self.numbers)))
        return [contact(each) for each in sorted({*near, *some}, key=lambda each: each ^ TARGET)[:20]]

    def run(self, made, lies=lambda number: None):
        waiting = made.next(0.0)
        while waiting:
            asked = waiting.pop(self.rng.randrange(len(waiting)))
            number = number_of(asked.peer_id)
            if number in self.dead or number not in self.numbers:
                made.failed(asked.peer_id)
            else:
                made.answered(asked.peer_id, lies(number) or self.answer(number))
            waiting += made.next(0.0)
        return [number_of(each.peer_id) for each in made.closest(20)]

    def best(self):
        living = [each for each in self.numbers if each not in self.dead]
        return sorted(living, key=lambda each: each ^ TARGET)[:20]

    def seeds(self):
        return [contact(each) for each in self.rng.sample(self.numbers, 8)]


def test_a_walk_finds_the_nearest_with_few_questions_in_few_rounds():
    for seed in range(5):
        model = Model(random.Random(seed), 2000)
        made = lookup(model.seeds())
        assert model.run(made) == model.best()
        assert made.questions <= 45
        assert made.rounds <= 5


def test_a_walk_finds_the_nearest_that_live():
    for seed in range(5):
        model = Model(random.Random(seed), 1000)
        model.dead = set(model.rng.sample(model.numbers, 150))
        made = lookup(model.seeds())
        found = model.run(made)
        assert len(set(found) & set(model.best())) >= 19
        assert made.questions <= 70


def test_liars_who_invent_peers_cost_questions_and_not_the_result():
    for seed in range(10):
        model = Model(random.Random(seed), 1000)
        liars = set(model.rng.sample(model.numbers, 200))

        def lies(number, liars=liars, rng=model.rng):
            return [contact(TARGET ^ rng.getrandbits(180)) for _ in range(20)] if number in liars else None

        found = model.run(lookup(model.seeds()), lies)
        assert len(set(found) & set(model.best())) >= 16


def test_liars_who_name_only_each_other_do_not_hide_the_others():
    hidden = 0
    for seed in range(10):
        model = Model(random.Random(seed), 1000)
        liars = model.rng.sample(model.numbers, 200)
        told = [contact(each) for each in sorted(liars, key=lambda each: each ^ TARGET)[:20]]
        known = set(liars)
        found = model.run(
            lookup(model.seeds()), lambda number, told=told, known=known: told if number in known else None
        )
        hidden += len(set(found) & set(model.best())) < 16
    assert hidden == 0


def test_paths_are_disjoint():
    model = Model(random.Random(1), 500)
    made = lookup(model.seeds())
    asked = []
    waiting = made.next(0.0)
    while waiting:
        asked += [each.peer_id for each in waiting]
        answers = [(each.peer_id, model.answer(number_of(each.peer_id))) for each in waiting]
        for answered, contacts in answers:
            made.answered(answered, contacts)
        waiting = made.next(0.0)
    assert len(asked) == len(set(asked))


def test_no_more_than_its_share_of_questions_waits_on_a_path():
    made = lookup([contact(each) for each in range(1, 41)], paths=4, parallel=6)
    assert len(made.next(0.0)) == 8
    assert made.next(0.0) == []
    assert made.waiting == 8


def test_nobody_is_asked_after_the_deadline():
    assert lookup([contact(1)]).next(END) == []


def test_questions_and_memory_are_bounded():
    made = lookup([contact(number) for number in range(1, 10)], walk_questions=30, walk_known=50)
    near = iter(range(10_000, 1, -1))
    asked = 0
    while waiting := made.next(0.0):
        asked += len(waiting)
        for each in waiting:
            made.answered(each.peer_id, [contact(TARGET ^ next(near)) for _ in range(20)])
    assert asked == made.questions == 30
    assert len(made.known(SPACE, 1000, 1000)) <= 50


def test_one_subnet_has_its_share():
    made = lookup([contact(number, "5.6.7.8") for number in range(1, 20)], walk_subnet=4)
    assert len(made.known(SPACE, 100, 100)) == 4


def test_who_named_three_that_do_not_answer_is_believed_no_more():
    made = lookup([contact(1)], paths=1, parallel=3)
    made.next(0.0)
    made.answered(peer_id(1), [contact(TARGET ^ each) for each in range(1, 20)])
    for each in made.next(0.0):
        made.failed(each.peer_id)
    assert made.next(0.0) == []
    assert [each.peer_id for each in made.closest(5)] == [peer_id(1)]


def test_answers_that_nobody_asked_for_do_not_count():
    made = lookup([contact(1)])
    assert made.answered(peer_id(1), [contact(2)]) == 0
    assert made.answered(peer_id(7), [contact(2)]) == 0
    made.failed(peer_id(8))
    assert [each.peer_id for each in made.next(0.0)] == [peer_id(1)]


def test_who_keeps_nothing_is_asked_but_not_found():
    made = lookup([contact(1), contact(2)])
    made.next(0.0)
    made.answered(peer_id(1), [contact(3)], serving=False)
    made.answered(peer_id(2), [])
    assert [each.peer_id for each in made.closest(5)] == [peer_id(2)]
    assert [each.peer_id for each in made.next(0.0)] == [peer_id(3)]


def test_it_ends_early_when_fewer_are_enough():
    model = Model(random.Random(3), 1000)
    few, all_of_them = lookup(model.seeds(), enough=4, paths=1), lookup(model.seeds(), paths=1)
    model.run(few)
    model.run(all_of_them)
    assert few.questions < all_of_them.questions


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_any_order_of_answers_ends(rng):
    model = Model(rng, 60, known=5)
    made = lookup(model.seeds(), bucket=10)
    model.dead = set(rng.sample(model.numbers, 10))
    model.run(made)
    assert made.waiting == 0
    assert made.questions <= 60
