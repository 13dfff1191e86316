"""The mesh, event by event, with no network at all; and what one hostile peer can do to it."""

import random

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import (
    ASKED_AT_MOST,
    CALM_ROUNDS,
    CALM_SECONDS,
    JOIN_WALK,
    JOIN_WALKS,
    LOST_PAUSE,
    NEIGHBOURS_ASKED,
    NEIGHBOURS_SPARE,
    NEIGHBOURS_WANTED,
    PASSIVE_VIEW,
    PASSIVE_WALK,
    PEERS_PER_SUBNET,
    REFUSED_PAUSE,
    SHUFFLE_WALK,
    TOLD_SHARE,
    WALKS_BURST,
)
from peerage.peer.hyparview import Actions, Ask, Came, HyParView, Send, Standing, Went
from peerage.peer.messages import MAX_WALK, Contact, Disconnect, ForwardJoin, Neighboured, Shuffle, Shuffled

FULL = NEIGHBOURS_WANTED + NEIGHBOURS_SPARE
OWN = PeerId(bytes(32))


def peer_id(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def contact(number: int, host: str | None = None) -> Contact:
    return Contact(peer_id(number), (Address(host or f"20.{number % 250}.{number // 250}.1", 7411),))


class Owner:
    """Whom the owner of the node bans and befriends."""

    def __init__(self) -> None:
        self.banned: set[PeerId] = set()
        self.friends: set[PeerId] = set()

    def standing(self, peer_id: PeerId) -> Standing:
        if peer_id in self.banned:
            return Standing.BANNED
        return Standing.FRIEND if peer_id in self.friends else Standing.NEUTRAL

    def believed(self, contacts, teller):
        return contacts


def mesh(neighbours: int = 0, owner: Owner | None = None) -> HyParView:
    """Return the view of a node with neighbours 1, 2, ..., each a second younger than the one before."""
    view = HyParView(OWN, random.Random(4), owner or Owner(), NEIGHBOURS_WANTED, 0.0)  # noqa: S311 -- a test
    for number in range(1, neighbours + 1):
        view.answered(contact(number), Neighboured(accepted=True), float(number))
    return view


def sent(actions: Actions, kind: type) -> list[Send]:
    return [each for each in actions if isinstance(each, Send) and isinstance(each.message, kind)]


def asked(actions: Actions) -> list[PeerId]:
    return [each.contact.peer_id for each in actions if isinstance(each, Ask)]


def test_a_newcomer_is_a_neighbour_and_sent_on_two_ways_to_others() -> None:
    view = mesh(3)
    told, actions = view.joined(contact(9), 10.0)
    assert {each.peer_id for each in told} == {peer_id(1), peer_id(2), peer_id(3)}
    assert Came(peer_id(9)) in actions
    walks = sent(actions, ForwardJoin)
    assert len(walks) == JOIN_WALKS
    assert {each.peer_id for each in walks} < {peer_id(1), peer_id(2), peer_id(3)}
    assert all(each.message == ForwardJoin(contact(9), JOIN_WALK) for each in walks)


def test_a_newcomer_displaces_a_young_neighbour_who_is_told_where_to_go() -> None:
    view = mesh(FULL)
    _told, actions = view.joined(contact(9), 100.0)
    [farewell] = sent(actions, Disconnect)
    assert farewell.message.peers[0] == contact(9)
    assert farewell.peer_id in {peer_id(number) for number in range(FULL // 2 + 1, FULL + 1)}
    assert Went(farewell.peer_id) in actions
    assert len(view.active) == FULL


def test_a_storm_of_newcomers_leaves_the_old_neighbours() -> None:
    view = mesh(FULL)
    for number in range(100, 1100):
        view.joined(contact(number), 100.0 + number)
    assert len(view.active) == FULL
    assert all(peer_id(number) in view.active for number in range(1, FULL // 2 + 1))


def test_walks_of_a_storm_are_bounded() -> None:
    view = mesh(FULL)
    walks = sum(len(sent(view.joined(contact(number), 100.0)[1], ForwardJoin)) for number in range(100, 1100))
    assert walks <= 100 * FULL


def test_friends_give_way_to_nobody() -> None:
    owner = Owner()
    owner.friends = {peer_id(number) for number in range(1, FULL + 1)}
    view = mesh(FULL, owner)
    for number in range(100, 140):
        view.joined(contact(number), 100.0 + number)
    assert owner.friends <= set(view.active)
    assert len(view.active) <= FULL + 1


def test_a_walk_is_remembered_on_the_way_and_ends_with_a_question() -> None:
    view = mesh(3)
    onward = view.on_forward_join(peer_id(1), ForwardJoin(contact(9), PASSIVE_WALK + 1), 10.0)
    assert peer_id(9) in view.passive
    [step] = sent(onward, ForwardJoin)
    assert step.message.ttl == PASSIVE_WALK
    assert step.peer_id in {peer_id(2), peer_id(3)}
    assert asked(view.on_forward_join(peer_id(1), ForwardJoin(contact(9), 1), 10.0)) == [peer_id(9)]


def test_a_walk_is_cut_to_this_nodes_own_length() -> None:
    [step] = sent(mesh(3).on_forward_join(peer_id(1), ForwardJoin(contact(9), MAX_WALK), 10.0), ForwardJoin)
    assert step.message.ttl == JOIN_WALK - 1


def test_denial_of_service_by_walks_ends_at_the_first_neighbour() -> None:
    view = mesh(3)
    passed = sum(
        len(view.on_forward_join(peer_id(1), ForwardJoin(contact(1000 + number), 1), 10.0)) for number in range(1000)
    )
    assert passed <= ASKED_AT_MOST
    passed = sum(
        len(view.on_forward_join(peer_id(2), ForwardJoin(contact(1000 + number), 6), 10.0)) for number in range(1000)
    )
    assert passed == WALKS_BURST


def test_who_is_no_neighbour_is_told_so_and_not_served() -> None:
    view = mesh(3)
    for actions in (
        view.on_forward_join(peer_id(8), ForwardJoin(contact(9), 1), 10.0),
        view.on_shuffle(peer_id(8), Shuffle(1, 6, None, (contact(9),)), 10.0),
    ):
        assert actions == [Send(peer_id(8), Disconnect())]
    assert not view.on_shuffled(peer_id(8), Shuffled(1, (contact(9),)), 10.0)
    assert len(view.passive) == 0


def test_a_peer_is_taken_while_there_is_room_and_refused_with_others_to_ask() -> None:
    view = mesh(FULL - 1)
    answer, actions = view.on_neighbour(contact(8), urgent=False, now=10.0)
    assert answer.accepted
    assert actions == [Came(peer_id(8))]
    answer, actions = view.on_neighbour(contact(9), urgent=False, now=10.0)
    assert not answer.accepted
    assert answer.peers
    assert actions == []
    assert peer_id(9) not in view.active


def test_who_has_nobody_is_not_refused() -> None:
    view = mesh(FULL)
    answer, actions = view.on_neighbour(contact(9), urgent=True, now=100.0)
    assert answer.accepted
    assert peer_id(9) in view.active
    assert len(sent(actions, Disconnect)) == 1


def test_a_banned_peer_never_is_a_neighbour() -> None:
    owner = Owner()
    owner.banned.add(peer_id(9))
    view = mesh(2, owner)
    assert not view.on_neighbour(contact(9), urgent=True, now=1.0)[0].accepted
    assert not view.ask(contact(9))
    assert not view.on_forward_join(peer_id(1), ForwardJoin(contact(9), 1), 1.0)
    view.on_shuffle(peer_id(1), Shuffle(1, 1, contact(9), (contact(9),)), 1.0)
    assert peer_id(9) not in view.passive
    assert sent(view.answered(contact(9), Neighboured(accepted=True), 1.0), Disconnect)


def test_a_lost_neighbour_is_replaced_and_looked_for_later() -> None:
    view = mesh(NEIGHBOURS_WANTED)
    for number in range(20, 30):
        view.passive.add_met(contact(number), 5.0)
    actions = view.lost(peer_id(1), 10.0)
    assert Went(peer_id(1)) in actions
    assert len(asked(actions)) == 1
    assert view.probe(10.0) == []
    assert asked(view.probe(10.0 + 2 * LOST_PAUSE)) == [peer_id(1)]


def test_asking_goes_on_until_there_are_enough() -> None:
    view = mesh(1)
    for number in range(20, 30):
        view.passive.add_met(contact(number), 5.0)
    waiting = asked(view.fill(10.0))
    assert len(waiting) == NEIGHBOURS_ASKED
    while waiting:
        who = waiting.pop()
        number = int.from_bytes(who, "big")
        if number % 2:
            waiting += asked(view.unreachable(who, 10.0))
        else:
            actions = view.answered(contact(number), Neighboured(accepted=True), 10.0)
            waiting += asked([*actions, *view.fill(10.0)])
    assert len(view.active) == NEIGHBOURS_WANTED


def test_who_refused_is_left_in_peace_for_a_while() -> None:
    view = mesh(1)
    view.passive.add_met(contact(20), 5.0)
    assert asked(view.fill(10.0)) == [peer_id(20)]
    assert asked(view.answered(contact(20), Neighboured(accepted=False), 10.0)) == []
    assert asked(view.fill(10.0 + 2 * REFUSED_PAUSE)) == [peer_id(20)]


def test_where_all_refuse_a_node_goes_between_two() -> None:
    view = mesh(2)
    view.passive.add_met(contact(20), 5.0)
    view.passive.postpone(peer_id(20), 1e9)
    [ask] = view.insist()
    assert ask == Ask(contact(20), urgent=True)
    assert view.insist() == []


def test_a_yes_that_was_taken_back_on_the_way_does_not_count() -> None:
    """The answer comes first, but whoever waits for it runs after the handler of the farewell."""
    view = mesh(1)
    view.ask(contact(9))
    view.on_disconnect(peer_id(9), (), 10.0)
    assert sent(view.answered(contact(9), Neighboured(accepted=True), 10.0), Disconnect)
    assert peer_id(9) not in view.active


def test_who_is_displaced_goes_to_the_one_in_its_place_first() -> None:
    view = mesh(NEIGHBOURS_WANTED)
    actions = view.on_disconnect(peer_id(1), (contact(70), contact(71)), 10.0)
    assert Went(peer_id(1)) in actions
    assert asked(actions) == [peer_id(70)]


def test_an_exchange_goes_far_and_comes_back() -> None:
    views = {number: mesh() for number in range(1, 2 + SHUFFLE_WALK)}
    for number, view in views.items():  # a chain
        view.own_id = peer_id(number)
        for other in (number - 1, number + 1):
            if other in views:
                view.answered(contact(other), Neighboured(accepted=True), 0.0)
    views[1 + SHUFFLE_WALK].passive.add_met(contact(77), 0.0)
    todo = [(1, action) for action in views[1].shuffle(1.0)]
    steps = 0
    while todo:
        sender, action = todo.pop()
        steps += 1
        at = int.from_bytes(action.peer_id, "big")
        handle = views[at].on_shuffle if isinstance(action.message, Shuffle) else views[at].on_shuffled
        todo += [(at, each) for each in handle(peer_id(sender), action.message, 1.0) if isinstance(each, Send)]
    assert steps == 2 * SHUFFLE_WALK  # there, and back
    assert peer_id(77) in views[1].passive
    assert peer_id(1) in views[1 + SHUFFLE_WALK].passive


def test_in_calm_times_exchanges_are_rare() -> None:
    view = mesh(3)
    rounds = 10 * CALM_ROUNDS
    assert sum(bool(view.shuffle(10.0)) for _ in range(rounds)) == rounds
    assert sum(bool(view.shuffle(10.0 + CALM_SECONDS)) for _ in range(rounds)) == 10
    view.lost(peer_id(1), 20.0 + CALM_SECONDS)
    assert view.shuffle(21.0 + CALM_SECONDS)


def test_an_exchange_is_answered_once() -> None:
    view = mesh(2)
    [action] = view.shuffle(1.0)
    answer = Shuffled(action.message.number, (contact(50),))
    view.on_shuffled(peer_id(1), answer, 1.0)
    assert peer_id(50) in view.passive
    view.on_shuffled(peer_id(1), Shuffled(answer.number, (contact(51),)), 1.0)
    view.on_shuffled(peer_id(1), Shuffled(12345, (contact(52),)), 1.0)
    assert peer_id(51) not in view.passive
    assert peer_id(52) not in view.passive


def test_eclipse_one_who_answers_with_sybils_of_its_own_gets_its_share_of_the_view() -> None:
    view = mesh(5)
    for number in range(50, 60):
        view.passive.add_met(contact(number), 10.0)
    for attempt in range(2000):
        now = 20.0 + attempt
        sybils = tuple(contact(10_000 + 16 * attempt + each) for each in range(16))
        view.on_shuffle(peer_id(1), Shuffle(attempt, 1, None, sybils), now)
        for action in view.shuffle(now):
            view.on_shuffled(peer_id(1), Shuffled(action.message.number, sybils), now)
    sybils_inside = [each for each in view.passive if each.teller is not None]
    assert len(sybils_inside) <= PASSIVE_VIEW // TOLD_SHARE
    assert all(peer_id(number) in view.passive for number in range(50, 60))


def test_eclipse_one_subnet_has_two_of_the_neighbours() -> None:
    view = mesh(3)
    for number in range(100, 400):
        view.joined(contact(number, f"21.1.1.{number % 250}"), 10.0 + number)
        view.on_neighbour(contact(1000 + number, f"21.1.1.{number % 250}"), urgent=True, now=10.0 + number)
    sybils = [each for each in view.active if int.from_bytes(each, "big") >= 100]
    assert len(sybils) == PEERS_PER_SUBNET
    assert all(peer_id(number) in view.active for number in (1, 2, 3))
