"""Crops and networks averaged: beside loops, whatever is batched with what, and by how many."""

import math

import numpy as np
import pytest

import minigrad
from googlenet.classify import Classifier, probabilities
from googlenet.evaluation import Evaluation, Member, examine, examine_together
from googlenet.evaluation.averaging import Batches, averaged, together
from googlenet.evaluation.crops import crops_of
from googlenet.evaluation.figures import Tally
from googlenet.evaluation.views import Viewer, Views, cut
from googlenet.model import GoogLeNet
from googlenet.prediction import predict
from minigrad.data import ArrayDataset, CenterCrop, Compose, ImageFolder, Normalize, Resize
from tests.googlenet.tiny import photographs, tiny  # noqa: F401 (a fixture)

CLASSES = ("cat", "dog", "owl")
GREY = Compose([Resize((32, 32)), Normalize(0.5, 0.3)])
COLOUR = Compose([Resize(37), CenterCrop(32), Normalize([0.4, 0.5, 0.6], [0.3, 0.2, 0.1])])


def network(seed=0, channels=1, size=32):
    minigrad.manual_seed(seed)
    net = GoogLeNet(len(CLASSES), in_channels=channels, image_size=size, aux_heads=False)
    classifier = net.classifier  # the first weights say nearly the same of everything
    rng = np.random.default_rng(seed)
    classifier.weight = minigrad.nn.Parameter(
        rng.normal(0, 60, classifier.weight.shape).astype(np.float32)
    )
    return net.eval()


@pytest.fixture(scope="module")
def grey(tiny):  # noqa: F811
    return network()


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (7, 1, 28, 28), np.uint8)
    return ArrayDataset(images, np.arange(7) % 3, CLASSES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("pictures"), each=2)


def naive(net, transform, image, count, size):
    """The mean of the softmax over every crop of the protocol, also over those that are alike."""
    values = transform.transforms[-1]
    crops = crops_of(count, *image.shape[1:], size)
    views = [transform(image, None)] if count == 1 else cut(image, crops, size, values)
    assert len(views) == count
    with minigrad.no_grad():
        logits = net(minigrad.tensor(np.stack(views))).numpy()
    total = np.zeros(len(CLASSES))
    for row in logits:
        powers = [math.exp(value) for value in row]
        total += np.array(powers) / sum(powers)
    return total / count


def told(classifier, transform, dataset, count):
    """What is said of each picture, in full."""
    queue, viewer = Batches(classifier), Viewer(transform, classifier.net.image_size, count)
    found = []
    for index in range(len(dataset)):
        found += queue.add(index, viewer(dataset[index][0]))
    found += queue.flush()
    assert [key for key, _ in found] == list(range(len(dataset)))
    return [answer for _, answer in found]


@pytest.mark.parametrize("count", [1, 10, 144])
def test_the_mean_over_crops(grey, pictures, count):
    """All crops, also those that a square picture has three times and that are computed once."""
    answers = told(Classifier(grey, batch_size=5), GREY, pictures, count)
    for index, answer in enumerate(answers[:3]):
        expected = naive(grey, GREY, pictures[index][0], count, 32)
        np.testing.assert_allclose(answer.probabilities, expected, rtol=2e-5)
        np.testing.assert_allclose(np.exp(answer.log_probabilities), answer.probabilities)
    spread = np.std([answer.probabilities for answer in answers], axis=0)
    assert spread.max() > 0.01  # pictures differ


def test_evaluation_counts_what_was_told(grey, pictures):
    classifier = Classifier(grey, batch_size=5)
    for count in (1, 10):
        answers = told(classifier, GREY, pictures, count)
        found = examine(classifier, GREY, pictures, pictures.labels, crops=count)
        shares = np.stack([answer.probabilities for answer in answers])
        labels = pictures.labels
        assert found.indices.tolist() == list(range(7))
        assert found.labels.tolist() == labels.tolist()
        np.testing.assert_array_equal(found.predicted, shares.argmax(1))
        np.testing.assert_array_equal(found.confidence, shares.max(1))
        own = shares[np.arange(7), labels]
        np.testing.assert_array_equal(found.probability_of_class, own)
        np.testing.assert_allclose(found.losses, -np.log(own), rtol=1e-12)
        np.testing.assert_array_equal(found.ranks, (shares > own[:, None]).sum(1))
        brier = np.mean([((p - np.eye(3)[y]) ** 2).sum() for p, y in zip(shares, labels)])  # noqa: B905
        assert found.brier == pytest.approx(brier)


@pytest.mark.parametrize("count", [10, 144])
def test_a_picture_alone_is_what_it_is_among_others(grey, pictures, count):
    """To the bit: where its crops lie in batches, and beside whose, does not matter."""
    classifier = Classifier(grey, batch_size=7)
    answers = told(classifier, GREY, pictures, count)
    for index in (0, 3, 6):
        one = ArrayDataset(pictures.images[index : index + 1], np.zeros(1, int), CLASSES)
        (alone,) = told(classifier, GREY, one, count)
        np.testing.assert_array_equal(alone.probabilities, answers[index].probabilities)


def test_workers_do_not_matter(grey, folder):
    net = network(channels=3)
    dataset = ImageFolder(folder)
    options = {"labels": np.asarray(dataset.labels), "crops": 10}
    one, three = (
        examine(Classifier(net, batch_size=4), COLOUR, dataset, workers=workers, **options)
        for workers in (1, 3)
    )
    for name in ("indices", "labels", "predicted", "ranks", "confidence", "losses", "squares"):
        np.testing.assert_array_equal(getattr(one, name), getattr(three, name))


def test_batches_are_full(grey, pictures, monkeypatch):
    """Across pictures, and whatever the number of crops: only the last is not."""
    sizes = []
    classifier = Classifier(grey, batch_size=32)
    compute = classifier.logits
    monkeypatch.setattr(
        classifier, "logits", lambda images: sizes.append(len(images)) or compute(images)
    )
    examine(classifier, GREY, pictures, pictures.labels, crops=144)
    assert sizes == [32] * 10 + [7 * 48 - 320]
    sizes.clear()
    examine(classifier, GREY, pictures, pictures.labels, crops=10)
    assert sizes == [32, 32, 6]


def test_memory_does_not_grow(grey):
    """Of very many pictures few are prepared ahead of what is done."""

    class Many:
        classes = CLASSES
        ahead = most = 0

        def __len__(self):
            return 60

        def __getitem__(self, index):
            self.ahead += 1
            self.most = max(self.most, self.ahead)
            return np.full((1, 28, 28), index % 256, np.uint8), 0

    many = Many()

    def seen(count):
        many.ahead -= count

    found = examine(Classifier(grey, batch_size=4), GREY, many, np.zeros(60, int), seen, crops=10)
    assert len(found) == 60
    assert many.most < 10


def test_networks_together(grey, folder):
    """Of different colours, sizes and normalisations: each reads and crops for itself."""
    other = network(seed=4, channels=3, size=48)
    larger = Compose([Resize(55), CenterCrop(48), Normalize(0.2, 0.7)])
    colour, without = ImageFolder(folder, channels=3), ImageFolder(folder, channels=1)
    labels = np.asarray(colour.labels)
    members = [
        Member(Classifier(grey, batch_size=3), GREY, without),
        Member(Classifier(other, batch_size=5), larger, colour),
    ]
    counted = []
    found = examine_together(members, labels, counted.append, 10, workers=2)
    assert sum(counted) == 6
    answers = [told(member[0], member[1], member[2], 10) for member in members]
    for member, said, (classifier, transform, dataset) in zip(
        found.members, answers, members, strict=True
    ):
        alone = examine(classifier, transform, dataset, labels, crops=10)
        np.testing.assert_array_equal(member.losses, alone.losses)
        own = [answer.probabilities[label] for answer, label in zip(said, labels, strict=True)]
        np.testing.assert_array_equal(member.probability_of_class, own)
    both = np.mean([[answer.probabilities for answer in said] for said in answers], axis=0)
    own = both[np.arange(6), labels]
    np.testing.assert_allclose(found.ensemble.probability_of_class, own, rtol=1e-13)
    np.testing.assert_allclose(found.ensemble.losses, -np.log(own), rtol=1e-12)
    np.testing.assert_array_equal(found.ensemble.predicted, both.argmax(1))


def test_the_ensemble_of_one_is_the_one(grey, pictures):
    member = Member(Classifier(grey), GREY, pictures)
    found = examine_together([member], pictures.labels)
    assert found.ensemble is found.members[0]
    twice = examine_together([member, member], pictures.labels)
    np.testing.assert_array_equal(twice.ensemble.predicted, found.ensemble.predicted)
    np.testing.assert_allclose(twice.ensemble.losses, found.ensemble.losses, rtol=1e-14)


def test_networks_alike_share_pictures_and_crops(grey, pictures, monkeypatch):
    """Each picture is read once, and cut once for those that see it alike."""
    read, cuts = [], []
    take, view = ArrayDataset.__getitem__, Viewer.__call__
    monkeypatch.setattr(
        ArrayDataset, "__getitem__", lambda data, index: read.append(index) or take(data, index)
    )
    monkeypatch.setattr(
        Viewer, "__call__", lambda viewer, image: cuts.append(1) or view(viewer, image)
    )
    again = Compose([Resize((32, 32)), Normalize(0.5, 0.3)])
    unlike = Compose([Resize((32, 32)), Normalize(0.5, 0.4)])
    members = [Member(Classifier(grey), way, pictures) for way in (GREY, again, unlike)]
    found = examine_together(members, pictures.labels, crops=10)
    assert sorted(read) == list(range(7))
    assert len(cuts) == 14
    first, second, third = found.members
    np.testing.assert_array_equal(first.losses, second.losses)
    assert (first.losses != third.losses).all()


def test_what_does_not_go_together_is_refused(grey, pictures):
    member = Member(Classifier(grey), GREY, pictures)
    fewer = ArrayDataset(pictures.images[:3], pictures.labels[:3], CLASSES)
    others = ArrayDataset(pictures.images, pictures.labels, ("cat", "dog", "bat"))
    for dataset, sentence in (
        (fewer, "the same pictures, but have 7 and 3"),
        (others, "has the class 'bat' where the network was trained on 'owl'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            examine_together([member, member._replace(dataset=dataset)], pictures.labels)
    with pytest.raises(ValueError, match="at least one network"):
        examine_together([], pictures.labels)


def test_predict_says_what_evaluate_does(grey, folder):
    """With crops, and pictures that cannot be read among them; to the bit."""
    net = network(channels=3)
    classifier = Classifier(net, batch_size=8)
    dataset = ImageFolder(folder, channels=3)
    for count in (1, 10, 144):
        answers = told(classifier, COLOUR, dataset, count)
        names = [str(dataset.root / file) for file in dataset.files]
        said = list(predict(classifier, COLOUR, [*names[:3], "none.png", *names[3:]], crops=count))
        assert said.pop(3).error is not None
        for one, answer in zip(said, answers, strict=True):
            np.testing.assert_array_equal(one.probabilities, answer.probabilities)


def test_averages_by_hand():
    answer = averaged(np.log([[1.0, 3], [1, 1], [9, 1]]), np.array([2, 1, 1]))
    np.testing.assert_allclose(answer.probabilities, [(0.5 + 0.5 + 0.9) / 4, (1.5 + 0.5 + 0.1) / 4])
    other = averaged(np.log([[1.0, 4]]), np.ones(1))
    both = together([answer, other])
    np.testing.assert_allclose(both.probabilities, [(0.475 + 0.2) / 2, (0.525 + 0.8) / 2])
    np.testing.assert_allclose(np.exp(both.log_probabilities), both.probabilities)


def test_losses_are_right_where_probabilities_round_to_0():
    """As the cross-entropy of logits is: 2000, not infinity."""
    logits = np.array([[2000.0, 0.0], [2000.0, 0.0]], np.float32)
    for rows in (logits, logits[:1]):
        tally = Tally(("a", "b"))
        tally.add(0, 1, averaged(rows, np.ones(len(rows), int)))
        found = tally.evaluation()
        assert found.loss == 2000
        assert found.ranks.tolist() == [1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value):
    for rows in ([[0.0, value]], [[0.0, 1.0], [0.0, value]]):
        with np.errstate(all="ignore"):
            answer = averaged(np.array(rows, np.float32), np.ones(len(rows), int))
        with pytest.raises(ValueError, match="not finite"):
            Tally(("a", "b")).add(0, 0, answer)


def test_a_view_is_not_lost_between_pictures(grey):
    """Pictures of different numbers of crops, in batches of any size."""
    rng = np.random.default_rng(0)
    given = [
        Views(list(rng.normal(size=(n, 1, 32, 32)).astype(np.float32)), np.ones(n, int))
        for n in (1, 5, 2, 9, 1)
    ]
    expected = [
        probabilities(grey(minigrad.tensor(np.stack(views.images))).numpy()).mean(0)
        for views in given
    ]
    for size in (1, 2, 4, 18, 64):
        queue, found = Batches(Classifier(grey, batch_size=size)), []
        for key, views in enumerate(given):
            found += queue.add(key, views)
        found += queue.flush()
        assert [key for key, _ in found] == [0, 1, 2, 3, 4]
        assert list(queue.flush()) == []
        for (_, answer), mean in zip(found, expected, strict=True):
            np.testing.assert_allclose(answer.probabilities, mean, rtol=1e-4)


def test_against_goes_by_the_pictures():
    logits = np.array([[2, 0], [0, 2], [2, 0], [0, 2]], np.float32)
    labels = np.array([0, 0, 0, 1])
    first = Evaluation.of_logits(("a", "b"), np.arange(4), labels, logits)
    second = Evaluation.of_logits(("a", "b"), np.arange(1, 4), labels[1:], -logits[1:])
    found = first.against(second)  # of pictures 1, 2, 3
    assert (found.better, found.worse) == (2, 1)
    other = Evaluation.of_logits(("a", "b"), np.arange(4), 1 - labels, logits)
    with pytest.raises(ValueError, match="not of the same pictures"):
        first.against(other)


def test_intervals_and_few_classes():
    logits = np.array([[2, 0, 1], [0, 2, 1]], np.float32)
    found = Evaluation.of_logits(CLASSES, np.arange(2), np.array([0, 0]), logits)
    low, high = found.interval(1)
    assert low < found.top(1) == 0.5 < high
    assert found.top(5) == 1
    assert found.interval(5) is None
    assert found.interval(3) is None
