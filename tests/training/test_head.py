"""The linear layer: what it learns, what it chooses by, and that two classes are two rows."""

import numpy as np
import pytest

from resnet18_lab.training import head

pytest.importorskip("sklearn", reason="needs the extra: training")


def blobs(classes, count=40, width=32, spread=1.0, seed=0):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), count)
    centres = random.normal(size=(classes, width)) * 2
    return (centres[labels] + random.normal(size=(len(labels), width)) * spread + 5).astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_apart_classes_are_learned(classes):
    features, labels = blobs(classes)
    found = head.fit(features, labels, np.arange(len(labels)))
    assert found.weight.shape == (classes, 32)
    assert found.bias.shape == (classes,)
    assert found.weight.dtype == found.bias.dtype == np.float32
    assert (found.logits(features).argmax(axis=1) == labels).mean() > 0.98
    assert found.strength in head.STRENGTHS
    assert set(found.scores) == set(head.STRENGTHS)


def test_its_logits_are_scikit_learns_own():
    from sklearn.linear_model import LogisticRegression

    features, labels = blobs(3, spread=3.0)
    found = head.fit(features, labels, np.arange(len(labels)))
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    model = LogisticRegression(C=found.strength, max_iter=300).fit((features - mean) / deviation, labels)
    expected = model.predict_proba((features - mean) / deviation)
    logits = found.logits(features)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected, atol=2e-3)


def test_pictures_that_are_alike_are_never_on_both_sides_of_a_fold():
    random = np.random.default_rng(1)  # features that say nothing, each picture twice
    features = np.repeat(random.normal(size=(45, 512)).astype(np.float32), 2, axis=0)
    labels, groups = np.repeat(np.arange(45) % 3, 2), np.repeat(np.arange(45), 2)
    assert max(head.fit(features, labels, groups).scores.values()) < 0.6
    leaking = head.fit(features, labels, np.arange(90))
    assert max(leaking.scores.values()) > 0.75, "what grouping prevents"


def test_rare_classes_count_as_much_when_balanced():
    features, labels = blobs(2, spread=4.0)
    kept = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:6]])
    features, labels = features[kept], labels[kept]
    plain, even = (head.fit(features, labels, np.arange(len(labels)), balance=balance) for balance in (False, True))
    assert (even.logits(features).argmax(axis=1) == 1).sum() >= (plain.logits(features).argmax(axis=1) == 1).sum()
