"""Options reach the model however they are sent; several pictures are answered one by one, in order."""

import base64
import io
from dataclasses import replace

import pytest

from api_server.app import load_predictor
from api_server.settings import Settings
from api_server.tests.fakes import FakePredictor, picture, serving
from im2latex.errors import ImageError, RenderError
from im2latex.tests.rendering import draw

PICTURE = base64.b64encode(picture()).decode()


def from_url(client, monkeypatch, **options):
    monkeypatch.setattr("api_server.reader.fetch_image", lambda url, settings: picture())
    return client.get("/v1/predict", params={"image_url": "http://a.example/", **options})


def as_form(client, _, **options):
    return client.post("/v1/predict", files={"file": picture()}, data=options)


def as_json(client, _, **options):
    return client.post("/v1/predict", json={"image": PICTURE, **options})


WAYS = pytest.mark.parametrize("send", [from_url, as_form, as_json])


@WAYS
def test_the_beam_reaches_the_model(monkeypatch, send):
    predictor = FakePredictor()
    with serving(predictor=predictor) as client:
        assert send(client, monkeypatch, beam=7).status_code == 200
        assert send(client, monkeypatch).status_code == 200
    assert predictor.beams == [7, 1]


@pytest.mark.needs_latex
def test_a_server_that_checks_tells_the_likeness():
    settings = Settings(check=True)
    (drawn,), stream = draw("a + b"), io.BytesIO()
    drawn.image.save(stream, "PNG")
    with serving(settings, load_predictor(settings)) as client:
        answer = client.post("/v1/predict", files={"file": stream.getvalue()}).json()
    assert (answer["pred"], answer["likeness"]) == ("a+b", 1)
    with serving() as client:
        assert as_json(client, None).json()["likeness"] is None


def test_a_server_that_cannot_check_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderError, match="apt-get install"):
        load_predictor(Settings(check=True))


@WAYS
@pytest.mark.parametrize("options", [{"beam": 0}, {"beam": 11}, {"alternatives": -1}, {"formats": ["word"]}])
def test_options_out_of_range_are_refused_by_name(monkeypatch, send, options):
    with serving() as client:
        answer = send(client, monkeypatch, **options)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert next(iter(options)) in answer.json()["detail"]


@WAYS
@pytest.mark.parametrize(("beam", "asked", "given"), [(4, 2, 2), (4, 3, 3), (4, 4, 3), (1, 2, 0), (4, 0, 0)])
def test_alternatives_are_those_that_the_beam_holds(monkeypatch, send, beam, asked, given):
    with serving() as client:
        answer = send(client, monkeypatch, beam=beam, alternatives=asked).json()
    assert answer["pred"] == "x_{1}"
    wanted = [{"pred": "x_{2}", "confidence": 0.25}, {"pred": "x_{3}", "confidence": 0.5 / 3}]
    wanted.append({"pred": "x_{4}", "confidence": 0.125})
    assert answer["alternatives"] == wanted[:given]


@WAYS
def test_formats_are_those_asked_for(monkeypatch, send):
    with serving() as client:
        formats = send(client, monkeypatch, formats=["latex", "mathml"]).json()["formats"]
    assert formats["latex"] == "x_{1}"
    assert formats["mathml"].startswith("<math ")
    assert "<msub>" in formats["mathml"]


@pytest.mark.parametrize("send", [from_url, as_form])
def test_formats_may_be_joined_by_commas(monkeypatch, send):
    with serving() as client:
        assert set(send(client, monkeypatch, formats="mathml,latex").json()["formats"]) == {"mathml", "latex"}


def test_a_formula_without_mathml_has_null_there():
    class Odd(FakePredictor):
        def predict_scales(self, pictures, beam=1, alternatives=0):
            ((prepared, found),) = super().predict_scales(pictures, beam)
            found.latex = r"\left( x"
            return [(prepared, found)]

    with serving(predictor=Odd()) as client:
        assert as_form(client, None, formats="mathml").json()["formats"] == {"mathml": None}


def test_attention_is_told_of_the_scale_that_was_read():
    looked_at = []

    class InAnotherScale(FakePredictor):
        def predict_scales(self, pictures, beam=1, alternatives=0):
            ((scale, found),) = super().predict_scales(pictures, beam)
            placement = replace(scale.placement, across=2 * scale.placement.across)
            self.taken = replace(scale, image=scale.image[:, :, :32], placement=placement)
            return [(self.taken, found)]

        def attend(self, images, formulas):
            looked_at.extend(images)
            return super().attend(images, formulas)

    with serving() as client:
        usual = as_form(client, None, attention=True).json()["attention"]["boxes"]
    predictor = InAnotherScale()
    with serving(predictor=predictor) as client:
        boxes = as_form(client, None, attention=True).json()["attention"]["boxes"]
    assert looked_at == [predictor.taken.image]
    assert boxes != usual


@WAYS
def test_attention_is_a_box_a_token_around_the_ink_in_pixels_of_the_picture(monkeypatch, send):
    with serving() as client:
        answer = send(client, monkeypatch, attention=True).json()
        assert send(client, monkeypatch).json()["attention"] is None
    assert (answer["attention"]["width"], answer["attention"]["height"]) == (60, 30)
    assert len(answer["attention"]["boxes"]) == len(answer["tokens"])
    for left, top, right, bottom in answer["attention"]["boxes"]:
        assert 0 <= left < right <= 60
        assert 0 <= top < bottom <= 30
        assert 10 <= (left + right) / 2 <= 41  # the ink of the picture that the fakes draw
        assert 10 <= (top + bottom) / 2 <= 21


@WAYS
@pytest.mark.parametrize("said", ["0", "1", "yes", "wahr", ""])
def test_a_switch_is_true_or_false_and_nothing_else(monkeypatch, send, said):
    with serving() as client:
        answer = send(client, monkeypatch, attention=said)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_attention_of_a_batch_is_that_of_each_picture():
    wide = base64.b64encode(picture(size=(600, 300))).decode()
    with serving() as client:
        body = {"images": [PICTURE, wide, "no base64!"], "attention": True}
        answers = client.post("/v1/predict/batch", json=body).json()["answers"]
    assert [answer["attention"]["width"] for answer in answers[:2]] == [60, 600]
    assert answers[2]["code"] == "invalid_base64"


@WAYS
def test_attention_of_a_model_that_cannot_tell_it_is_refused_by_name(monkeypatch, send):
    older = FakePredictor()
    older.can_explain = False
    with serving(predictor=older) as client:
        answer = send(client, monkeypatch, attention=True)
        assert (answer.status_code, answer.json()["code"]) == (422, "no_attention")
        assert send(client, monkeypatch).status_code == 200
    assert len(older.batches) == 1


def test_a_batch_is_answered_in_order_and_a_bad_picture_costs_only_itself():
    images = [PICTURE, "no base64!", "data:image/png;base64," + PICTURE, base64.b64encode(b"hallo").decode(), ""]
    with serving() as client:
        answers = client.post("/v1/predict/batch", json={"images": images}).json()["answers"]
    assert [answer.get("pred", answer.get("code")) for answer in answers] == [
        "x_{1}", "invalid_base64", "x_{1}", "unreadable_image", "invalid_request",
    ]  # fmt: skip
    assert {answer.get("status", 200) for answer in answers} == {200, 422}


def test_pictures_of_one_size_in_a_batch_run_together():
    predictor = FakePredictor()
    with serving(Settings(batch_seconds=1), predictor) as client:
        client.post("/v1/predict/batch", json={"images": [PICTURE, PICTURE, PICTURE]})
    assert predictor.batches == [[(16, 16)] * 3]


@pytest.mark.parametrize(
    "body",
    [{}, {"images": []}, {"images": "a"}, {"images": [1]}, {"images": ["a"] * 17}, {"images": ["a"], "beam": 11}],
)
def test_a_batch_that_is_none_is_refused(body):
    with serving() as client:
        answer = client.post("/v1/predict/batch", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_batch_finds_place_for_all_or_none():
    predictor = FakePredictor()
    with serving(Settings(max_queue=2), predictor) as client:
        assert client.post("/v1/predict/batch", json={"images": [PICTURE] * 3}).status_code == 503
        assert client.post("/v1/predict/batch", json={"images": [PICTURE] * 2}).status_code == 200


def test_a_batch_is_json_only():
    with serving() as client:
        answer = client.post("/v1/predict/batch", files={"file": picture()})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_blank_picture_is_said_in_the_words_of_the_library():
    with serving(predictor=FakePredictor(ImageError("too odd"))) as client:
        answers = client.post("/v1/predict/batch", json={"images": [PICTURE]}).json()["answers"]
    assert answers[0]["detail"] == "too odd"
