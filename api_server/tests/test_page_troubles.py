"""The web page when things go wrong, what it remembers, and whether everybody can use it."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from api_server.page import STATIC
from api_server.tests.browser import fulfil, hand_over, open_page, wait_until
from api_server.tests.fakes import picture
from api_server.tests.test_page import ANSWER, READ, TOKENS, answer_with, read_one

pytestmark = pytest.mark.needs_browser


@pytest.fixture
def page(browser, server):
    with open_page(browser, server) as page:
        yield page


def give(page):
    hand_over(page, "drop", ("formula.png", picture()))
    return page.locator(".card").first


# ---- troubles are told in sentences


def test_an_older_model_that_cannot_tell_where_it_looked_is_read_all_the_same(page):
    problem = {"code": "no_attention", "detail": "leave out attention."}

    def answer(route):
        asked = "attention" in (route.request.post_data_buffer or b"").decode("latin-1")
        fulfil(route, 422 if asked else 200, problem if asked else ANSWER)

    page.route(READ, answer)
    expect(read_one(page).locator("textarea")).to_have_value(ANSWER["pred"])


def test_an_upload_that_cannot_be_read_says_why(page):
    hand_over(page, "drop", ("small.png", picture(size=(5, 5))))    # too small to hold the ink
    expect(page.get_by_role("alert")).to_contain_text("Not read. ")
    expect(page.locator(".answer")).to_be_hidden()
    expect(page.locator("#earlier")).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "body", "sentence", "can_retry"),
    [
        (413, {"detail": "The picture is larger than 10 MB."}, "The picture is larger than 10 MB.", False),
        (415, {}, "The server takes no files of this kind. PNG or JPEG always works.", False),
        (422, {"detail": "the picture is blank"}, "Not read. The picture is blank.", True),
        (500, {"detail": "x"}, "The server failed (500). Its log says why.", True),
        (504, {"detail": "x"}, "The server could not read it in time. Try again in a moment.", True),
        (200, {"hello": 1}, "What answered is not an im2latex server.", True),
    ],
)
def test_every_refusal_is_a_sentence(page, status, body, sentence, can_retry):
    answer_with(page, body, status)
    card = give(page)
    expect(card.get_by_role("alert").locator("p")).to_have_text(sentence)
    expect(card.get_by_role("button", name="Try again")).to_have_count(int(can_retry))


def test_a_server_that_is_gone_is_told_and_asked_again_on_request(page):
    page.route(READ, lambda route: route.abort())
    card = give(page)
    expect(card.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    page.unroute(READ)
    card.get_by_role("button", name="Try again").click()
    expect(card.locator("textarea")).to_have_value("x_{1}")
    expect(card.get_by_role("alert")).to_be_hidden()


def test_a_server_that_asks_for_a_key_is_given_it(page):
    def ask_for_key(route):
        knows = route.request.headers.get("x-api-key") == "open sesame"
        fulfil(route, 200 if knows else 401, ANSWER if knows else {"detail": "Send a key."})

    page.route(READ, ask_for_key)
    card = give(page)
    expect(card.get_by_role("alert")).to_contain_text("This server asks for a key.")
    page.get_by_label("Key of this server").fill("open sesame")
    page.keyboard.press("Enter")
    expect(card.locator("textarea")).to_have_value(ANSWER["pred"])


def test_a_busy_server_is_asked_again_after_the_time_it_names(page):
    asked = []

    def refuse_once(route):
        asked.append(route)
        if len(asked) == 1:
            fulfil(route, 503, {"detail": "busy"}, {"Retry-After": "1"})
        else:
            fulfil(route, 200, ANSWER)

    page.route(READ, refuse_once)
    card = give(page)
    expect(card.locator(".state")).to_have_text("The server is busy; next try in 1 s")
    expect(card.locator("textarea")).to_have_value(ANSWER["pred"])
    assert len(asked) == 2


def test_what_is_no_picture_is_not_sent(page):
    hand_over(page, "drop", ("notes.txt", b"x"), media="text/plain")
    expect(page.locator("#status")).to_have_text("One file is not a picture.")
    page.get_by_label("Address of a picture").fill("formula.png")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Give the full address")
    expect(page.locator(".card")).to_have_count(0)


def test_a_card_that_is_removed_while_it_waits_stops_its_request(page):
    page.route(READ, lambda route: None)
    card = give(page)
    expect(card.locator(".state")).to_have_text("Reading …")
    with page.expect_event("requestfailed"):
        card.get_by_role("button", name="Remove formula.png").click()
    expect(page.locator(".card")).to_have_count(0)


# ---- the history


def test_the_history_outlives_a_reload_with_the_edits(page):
    card = read_one(page)
    card.locator("textarea").fill("y+1")
    expect(page.locator("#earlier-list img")).to_have_count(1)
    page.reload()
    expect(page.locator(".card")).to_have_count(0)
    page.get_by_role("button", name="Open formula.png again").click()
    expect(page.locator(".card textarea")).to_have_value("y+1")
    assert page.locator(".card img").get_attribute("src").startswith("data:image/webp")
    assert page.locator(".card .tokens").text_content().split() == ["x", "_", "{", "1", "}"]


def test_the_history_is_forgotten_entry_by_entry_or_all_at_once(page):
    for count in (1, 2, 3):
        read_one(page)
        expect(page.locator("#earlier-list li")).to_have_count(count)
    page.get_by_role("button", name="Forget formula.png").first.click()
    expect(page.locator("#earlier-list li")).to_have_count(2)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#earlier")).to_be_hidden()
    assert page.evaluate("localStorage.getItem('im2latex.history')") is None


FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
NO = "throw new DOMException('no', 'SecurityError');"
FORBIDDEN = f"Object.defineProperty(window, 'localStorage', {{ get() {{ {NO} }} }});"
SPOILED = "localStorage.setItem('im2latex.history', '[{}, 1]'); localStorage.setItem('im2latex.theme', 'x');"


@pytest.mark.parametrize("storage", [FULL, FORBIDDEN, SPOILED], ids=["full", "forbidden", "spoiled"])
def test_the_page_works_without_a_usable_storage(page, storage):
    page.add_init_script(storage)
    page.reload()
    read_one(page)
    expect(page.locator("#earlier-list li")).to_have_count(1)
    page.get_by_role("button", name="Theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_the_history_is_bounded(page):
    entry = {"id": "", "when": 0, "name": "a", "thumb": "", "latex": "x", "answer": {**ANSWER, "tokens": []}}
    entries = [{**entry, "id": str(number)} for number in range(60)]
    page.evaluate("entries => localStorage.setItem('im2latex.history', JSON.stringify(entries))", entries)
    page.reload()
    expect(page.locator("#earlier-list li")).to_have_count(40)
    read_one(page)
    expect(page.locator("#earlier-list li .again").first).to_have_accessible_name("Open formula.png again")
    expect(page.locator("#earlier-list li")).to_have_count(40)


# ---- everybody


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 360)])
def test_labels_contrast_and_roles_pass_axe(browser, server, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}, "reduced_motion": "reduce"}
    with open_page(browser, server, **options) as page:
        assert Axe().run(page).response["violations"] == []
        answer_with(page, {**ANSWER, "tokens": TOKENS * 20})
        card = read_one(page)
        card.locator("textarea").fill(r"\frac{" + "x+" * 60)
        answer_with(page, {"detail": "the picture is blank"}, 422)
        give(page)
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("#earlier-list li")).to_have_count(1)
        broken = Axe().run(page).response["violations"]
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in broken] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


def test_the_keyboard_alone_is_enough(page):
    choosers = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="API")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Theme: light")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="choose files")).to_be_focused()
    page.keyboard.press("Enter")
    wait_until(page, lambda: choosers)
    choosers[0].set_files([{"name": "a.png", "mimeType": "image/png", "buffer": picture()}])
    expect(page.locator("#news")).to_have_text("a.png is read, confidence 54 %.")
    page.get_by_role("button", name="Remove a.png").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="choose files")).to_be_focused()


def test_the_dark_theme_is_remembered(page):
    for _ in range(2):
        page.get_by_role("button", name="Theme").click()
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(22, 24, 27)"


# ---- the files themselves


def test_no_file_of_the_page_names_another_server_or_writes_markup():
    ours = [path for path in STATIC.iterdir() if path.suffix in (".js", ".css", ".html")]
    assert len(ours) > 10
    for path in ours:
        text = path.read_text()
        addresses = set(re.findall(r"(?:https?:)?//[\w.]+", text))
        assert addresses <= {"http://www.w3.org"}, path    # the name of SVG, which nobody asks for
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), path
        assert len(text.splitlines()) <= 250, path


def test_katex_is_complete_with_its_licence():
    style = (STATIC / "katex/katex.min.css").read_text()
    fonts = set(re.findall(r"url\(fonts/([\w.-]+)\)", style))
    assert fonts == {path.name for path in (STATIC / "katex/fonts").iterdir()}
    assert {path.stem for path in (STATIC / "katex/outlines").iterdir()} == {font.split(".")[0] for font in fonts}
    assert "MIT License" in (STATIC / "katex/LICENSE").read_text()
