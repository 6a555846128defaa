"""The web page, as a browser shows it: each test is a promise to the person in front of it."""

import re

import pytest
from playwright.sync_api import expect

from api_server.tests.browser import fulfil, hand_over, open_page, wait_until
from api_server.tests.fakes import picture

pytestmark = pytest.mark.needs_browser
READ = "**/v1/predict*"
TOKENS = [
    {"token": token, "confidence": confidence}
    for token, confidence in [(r"\frac", 0.99), ("{", 1), ("a", 0.4), ("}", 1), ("{", 1), ("b", 0.7), ("}", 0.9)]
]
ANSWER = {
    "pred": r"\frac{a}{b}",
    "confidence": 0.8,
    "tokens": TOKENS,
    "alternatives": [{"pred": r"\frac{a}{b}", "confidence": 0.8}, {"pred": r"\frac{\alpha}{b}", "confidence": 0.1}],
    "model": "fake",
    "seconds": 0.1,
}


@pytest.fixture
def page(browser, server):
    with open_page(browser, server, permissions=["clipboard-read", "clipboard-write"]) as page:
        yield page


def answer_with(page, body=ANSWER, status=200, headers=None):
    page.route(READ, lambda route: fulfil(route, status, body, headers))


def read_one(page, kind="paste"):
    hand_over(page, kind, ("formula.png", picture()))
    card = page.locator(".card").first
    expect(card.locator("textarea")).to_be_visible()
    return card


def copied(page):
    return page.evaluate("navigator.clipboard.readText()")


# ---- pictures come in


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_a_picture_that_is_pasted_or_dropped_is_read_and_drawn_beside_it(page, kind):
    card = read_one(page, kind)
    expect(card.locator("textarea")).to_have_value("x_{1}")
    expect(card.get_by_role("img", name="formula.png")).to_be_visible()
    expect(card.locator(".drawn .katex")).to_be_visible()
    expect(card.locator(".state")).to_have_text("Confidence 54 %")


def test_a_reading_that_the_server_has_checked_says_how_much_it_looks_like_the_picture(page):
    answer_with(page, {**ANSWER, "likeness": 0.974})
    expect(read_one(page).locator(".state")).to_have_text("Confidence 80 %, looks 97 % like the picture")


def test_several_files_are_chosen_and_shown_in_their_order(page):
    files = [{"name": f"{name}.png", "mimeType": "image/png", "buffer": picture()} for name in "abc"]
    page.locator("#file").set_input_files(files)
    expect(page.locator(".card .drawn .katex-html")).to_have_count(3)
    assert page.locator(".card .name").all_inner_texts() == ["a.png", "b.png", "c.png"]


def test_an_address_is_read_by_the_server(page, picture_url):
    page.get_by_label("Address of a picture").fill(picture_url)
    page.keyboard.press("Enter")
    expect(page.locator(".card textarea")).to_have_value("x_{1}")
    expect(page.locator(".card .no-picture")).to_contain_text("127.0.0.1")


def test_an_address_that_is_pasted_anywhere_is_read(page, picture_url):
    hand_over(page, "paste", text=picture_url)
    expect(page.locator(".card textarea")).to_have_value("x_{1}")


def test_text_pasted_into_the_editor_stays_text(page):
    card = read_one(page)
    card.locator("textarea").focus()
    hand_over(page, "paste", text="https:" + "//example.org/formula.png")
    expect(page.locator(".card")).to_have_count(1)


def test_two_pictures_are_read_at_once_and_the_others_wait(page):
    waiting = []
    page.route(READ, lambda route: waiting.append(route))
    hand_over(page, "drop", *((f"{name}.png", picture()) for name in "abc"))
    expect(page.locator(".state", has_text="Reading")).to_have_count(2)
    expect(page.locator(".state", has_text="Waiting")).to_have_count(1)
    wait_until(page, lambda: len(waiting) == 2)
    fulfil(waiting[0], 200, ANSWER)
    expect(page.locator(".state", has_text="Waiting")).to_have_count(0)
    wait_until(page, lambda: len(waiting) == 3)
    expect(page.locator(".answer:visible")).to_have_count(1)
    for route in waiting[1:]:
        fulfil(route, 200, ANSWER)
    expect(page.locator(".answer:visible")).to_have_count(3)


# ---- the LaTeX is worked on


def test_an_edit_is_drawn_at_once_and_what_does_not_parse_is_said(page):
    card = read_one(page)
    editor = card.get_by_label("LaTeX", exact=True)
    editor.fill(r"y^{2}")
    expect(card.locator(".drawn annotation")).to_have_text("y^{2}")
    editor.fill(r"\frac{y")
    expect(card.locator(".parse")).to_contain_text("This does not parse:")
    expect(editor).to_have_attribute("aria-invalid", "true")
    expect(card.get_by_role("button", name="MathML")).to_be_disabled()
    expect(card.locator(".drawn annotation")).to_have_text("y^{2}")
    editor.fill(r"\frac{y}{2}")
    expect(card.locator(".parse")).to_be_hidden()
    expect(card.get_by_role("button", name="MathML")).to_be_enabled()


@pytest.mark.parametrize("way", ["hover", "focus"])
def test_a_token_that_is_pointed_at_is_marked_on_the_picture(page, way):
    boxes = [[10, 10, 40, 20]] * 2 + [[20, 12, 30, 18]] + [[10, 10, 40, 20]] * 4
    answer_with(page, {**ANSWER, "attention": {"width": 60, "height": 30, "boxes": boxes}})
    card = read_one(page)
    token, mark = card.get_by_role("button", name="a, 40 %", exact=True), card.locator(".mark")
    expect(mark).to_be_hidden()
    getattr(token, way)()
    expect(mark).to_be_visible()
    shown, image = mark.bounding_box(), card.locator(".shot img").bounding_box()
    middle = (image["x"] + image["width"] / 2, image["y"] + image["height"] / 2)  # pictures are never shown enlarged
    wanted = (middle[0] - 30 + 20, middle[1] - 15 + 12, 10, 6)
    assert [shown[key] for key in ("x", "y", "width", "height")] == pytest.approx(wanted, abs=1.5)
    card.locator("textarea").focus()
    card.locator("textarea").hover()
    expect(mark).to_be_hidden()


def test_readings_that_look_alike_but_for_spaces_are_shown_once(page):
    others = [r"\frac{a\,}{b}", r"\frac{a }{b}", r"\frac{a}{~b}", r"\frac{a}{\beta}"]
    answer_with(page, {**ANSWER, "alternatives": [{"pred": latex, "confidence": 0.1} for latex in others]})
    readings = read_one(page).get_by_role("group", name="Readings").get_by_role("button")
    expect(readings).to_have_count(2)
    expect(readings.nth(1)).to_have_attribute("data-latex", others[-1])


def test_doubtful_tokens_are_marked_and_lead_to_their_place(page):
    answer_with(page)
    card = read_one(page)
    expect(card.locator("summary")).to_have_text("Token by token: 2 doubtful tokens")
    doubtful = card.get_by_role("toolbar").get_by_role("button")
    assert doubtful.all_inner_texts() == ["a", "b", "}"]
    assert "level-0" in doubtful.nth(0).get_attribute("class")
    expect(doubtful.nth(0)).to_have_attribute("aria-label", "a, 40 %")
    doubtful.nth(0).focus()
    page.keyboard.press("ArrowRight")
    expect(doubtful.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    editor = card.locator("textarea")
    expect(editor).to_be_focused()
    start, end = editor.evaluate("editor => [editor.selectionStart, editor.selectionEnd]")
    assert (ANSWER["pred"][:start], ANSWER["pred"][start:end]) == (r"\frac{a}{", "b")


def test_another_reading_is_one_click_away(page):
    answer_with(page)
    card = read_one(page)
    readings = card.get_by_role("group", name="Readings").get_by_role("button")
    expect(readings).to_have_count(2)
    expect(readings.first).to_have_attribute("aria-pressed", "true")
    readings.nth(1).click()
    expect(card.locator("textarea")).to_have_value(r"\frac{\alpha}{b}")
    expect(readings.nth(1)).to_have_attribute("aria-pressed", "true")


def test_text_of_the_server_is_never_markup(page):
    tokens = [{"token": "<b>", "confidence": 0.1}]
    answer_with(page, {**ANSWER, "pred": "<img src=x onerror=alert(1)>", "tokens": tokens})
    card = read_one(page)
    expect(card.locator(".tokens button")).to_have_text("<b>")
    expect(card.locator(".tokens b, .drawn img")).to_have_count(0)


# ---- the formula is taken along


@pytest.mark.parametrize(
    ("button", "text"),
    [
        ("LaTeX", "x_{1}"),
        ("LaTeX between dollar signs", "$x_{1}$"),
        ("LaTeX between brackets, displayed", "\\[\nx_{1}\n\\]"),
        ("LaTeX equation environment", "\\begin{equation}\nx_{1}\n\\end{equation}"),
    ],
)
def test_copy_as_latex(page, button, text):
    card = read_one(page)
    card.get_by_role("group", name="Copy as").get_by_role("button", name=button, exact=True).click()
    expect(page.locator("#status")).to_contain_text("Copied as")
    assert copied(page) == text


def test_copy_as_mathml(page):
    read_one(page).get_by_role("button", name="MathML").click()
    expect(page.locator("#status")).to_have_text("Copied as MathML.")
    assert re.fullmatch(r"<math xmlns=.*<msub><mi>x</mi><mn>1</mn></msub>.*</math>", copied(page))


def test_control_and_enter_copies_what_was_edited(page):
    card = read_one(page)
    card.locator("textarea").fill("z")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#status")).to_have_text("Copied as LaTeX.")
    assert copied(page) == "z"


def test_copy_as_png_is_a_picture_with_ink_on_white(page):
    read_one(page).get_by_role("button", name="PNG", exact=True).click()
    expect(page.locator("#status")).to_have_text("Copied as PNG.")
    darkness = page.evaluate("""async () => {
      const [item] = await navigator.clipboard.read();
      const bitmap = await createImageBitmap(await item.getType("image/png"));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
      return [bitmap.width, data[0], data.filter((value, at) => at % 4 === 0 && value < 64).length / data.length * 4];
    }""")
    width, corner, ink = darkness
    assert 40 < width < 200
    assert corner == 255
    assert 0.05 < ink < 0.5


def test_svg_is_saved_as_outlines_that_need_no_font(page):
    card = read_one(page)
    card.locator("textarea").fill(r"\sqrt{\frac{a}{2}}\mathbb{R}")
    with page.expect_download() as download:
        card.get_by_role("button", name="Save SVG").click()
    svg = download.value.path().read_text()
    assert svg.startswith("<svg xmlns=")
    assert svg.count("<path ") == 4    # a, 2, R, and the sign of the root
    assert svg.count("<rect ") == 1    # the line of the fraction
    assert "<text" not in svg
    assert "foreignObject" not in svg
    assert float(re.search(r' width="([\d.]+)pt"', svg)[1]) < 60
