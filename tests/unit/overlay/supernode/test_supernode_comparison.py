from peerage.identity.keys import PeerId
from peerage.overlay.supernode.comparison import Comparison, Reputation, Verdict

A, B, C = (PeerId(letter * 32) for letter in (b"a", b"b", b"c"))


def compared(told, *, wanted=20, refused=None, unended=()):
    comparison = Comparison(wanted)
    for supernode, keys in told.items():
        comparison.begin(supernode)
        for key in keys:
            comparison.note(supernode, bytes([key]))
        for _ in range((refused or {}).get(supernode, 0)):
            comparison.refused(supernode)
        if supernode not in unended:
            comparison.ended(supernode)
    return {verdict.peer_id: verdict[1:] for verdict in comparison.verdicts()}


def test_what_two_tell_the_third_should_have_told():
    assert compared({A: [1, 2], B: [2, 1], C: []}) == {C: (2, 2, False)}
    assert compared({A: [1, 2], B: [2, 1], C: [1]}) == {A: (1, 0, False), B: (1, 0, False), C: (2, 1, False)}


def test_nobody_is_accused_on_the_word_of_one():
    assert compared({A: [1, 2, 3], B: [], C: []}) == {}
    assert compared({A: [1, 2, 3], B: []}) == {}


def test_one_question_counts_little():
    assert compared({A: range(9), B: range(9), C: []})[C] == (3, 3, False)


def test_who_was_not_done_or_had_enough_is_not_judged():
    assert compared({A: [1], B: [1], C: []}, unended={C}) == {}
    assert C not in compared({A: [1, 2], B: [1, 2], C: [3, 4]}, wanted=2)


def test_rubbish_counts_where_others_bring_none():
    assert compared({A: [1], B: [1], C: []}, refused={C: 5})[C] == (1, 1, True)
    assert compared({A: [1], B: []}, refused={B: 5}) == {B: (0, 0, True)}


def test_rubbish_that_all_bring_is_of_somebody_else():
    assert compared({A: [1], B: [1], C: [1]}, refused={A: 5, B: 5, C: 5}) == {}


def test_a_little_rubbish_among_much_that_is_true_is_none_of_its_own():
    assert all(not verdict[2] for verdict in compared({A: range(9), B: range(9), C: range(9)}, refused={C: 5}).values())


def test_an_honest_one_that_was_slow_once_is_kept():
    reputation = Reputation()
    reputation.note(Verdict(A, 3, 3, False))
    for _ in range(5):
        reputation.note(Verdict(A, 3, 0, False))
    assert not reputation.is_bad


def test_one_that_hides_is_bad_after_two_questions():
    reputation = Reputation()
    reputation.note(Verdict(A, 3, 3, False))
    assert not reputation.is_bad
    reputation.note(Verdict(A, 3, 3, False))
    assert reputation.is_bad


def test_one_that_invents_is_bad_after_two_questions():
    reputation = Reputation()
    reputation.note(Verdict(A, 0, 0, True))
    assert not reputation.is_bad
    reputation.note(Verdict(A, 0, 0, True))
    assert reputation.is_bad
