"""Several turns and a system prompt: what a task may say, and what is said of mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_defs import RenderError, TaskDef, TaskError, compile_task, load_task, prompt_digest
from task_defs.conversation import KINDS, WrongTurns, place_turns, read_turns

HISTORY = [
    {"role": "user", "content": "<image> Which bird?"},
    {"role": "assistant", "content": "An owl."},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "And <image>?"}]},
]
BASE = "task: birds\ndataset_path: x\njudge: exact\n"


def short(turns) -> list[str]:
    return [f"{role}: " + "".join(f"[{v}]" if k == "media" else str(v) for k, v in parts) for role, parts in turns]


def made(**fields):
    return compile_task(TaskDef(task="birds", dataset_path="x", judge="exact", **fields))


def test_turns_from_a_field_a_template_a_function_and_the_yaml_itself(write):
    wanted = ["user: [0] Which bird?", "assistant: An owl.", "user: [1]And <image>?"]
    row = {"id": 7, "chat": HISTORY, "bird": "owl", "rounds": [["Which?", "An owl."]], "ask": "And here?"}
    images = ["image", "image"]
    assert short(made(doc_to_messages="chat").conversation(row, images)) == wanted
    assert short(made(doc_to_messages="{{ chat }}").conversation(row, images)) == wanted
    text = BASE + "doc_to_messages:\n"
    for turn in HISTORY:
        text += f"  - {turn}\n".replace("An owl", "An {{ bird }}")
    assert short(compile_task(load_task(write("birds.yaml", text))).conversation(row, images)) == wanted
    write(
        "utils.py",
        """
        def turns(doc):
            for question, answer in doc["rounds"]:
                yield {"role": "user", "content": question}
                yield {"role": "assistant", "content": answer}
            yield {"role": "user", "content": doc["ask"]}
        """,
    )
    task = load_task(write("birds.yaml", BASE + "doc_to_messages: utils.turns\n"))
    found = compile_task(task).conversation(row, [])
    assert short(found) == ["user: Which?", "assistant: An owl.", "user: And here?"]


def test_a_system_prompt_is_text_jinja_or_a_function_and_left_out_where_it_is_empty(write):
    row = {"question": "Q?", "style": "briefly", "empty": ""}
    for rule, wanted in (
        ("You", "You"),  # a word is text, not a field
        ("Answer {{ style }}.", "Answer briefly."),
        ("{{ empty }}", None),
        ("", None),
    ):
        found = short(made(doc_to_text="question", system_prompt=rule).conversation(row, []))
        assert found == ([f"system: {wanted}"] if wanted else []) + ["user: Q?"]
    write("utils.py", "def system(doc):\n    return doc['style'].upper()\n")
    task = load_task(write("birds.yaml", BASE + "doc_to_text: question\nsystem_prompt: !function utils.system\n"))
    assert short(compile_task(task).conversation(row, [])) == ["system: BRIEFLY", "user: Q?"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("hello", "expected a list of {role, content}, found 'hello'"),
        ([], "expected a list of {role, content}, found []"),
        (None, "expected a list of {role, content}, found nothing"),
        ([{"role": "bot", "content": "x"}], "message 0.role: expected system, user, assistant, found 'bot'"),
        ([{"from": "human", "value": "x"}], "message 0: expected {role, content}, found {'from'"),
        ([{"role": "user", "content": 5}], "message 0.content: expected text or a list of parts, found 5"),
        ([{"role": "user", "content": None}], "message 0.content: expected text or a list of parts, found nothing"),
        (
            [{"role": "user", "content": [{"type": "image", "image": "a.png"}]}],
            "message 0.content.0: expected {type: text, text: ...} or {type: image}, found {'type': 'image', "
            "'image': 'a.png'}; the image itself comes from doc_to_visual",
        ),
        ([{"role": "user", "content": ["x"]}], "message 0.content.0: expected {type: text"),
        (
            [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}, {"role": "user", "content": "z"}],
            "message 1.role: a system message can only be the first",
        ),
        (HISTORY[:2], "message 1.role: the last message must be the user's, found 'assistant'"),
    ],
)
def test_turns_that_cannot_be_sent_are_told_with_their_place(value, message):
    with pytest.raises(WrongTurns) as caught:
        read_turns(value)
    assert str(caught.value).startswith(message)
    with pytest.raises(RenderError) as shown:
        made(doc_to_id="id", doc_to_messages="chat").conversation({"id": 7, "chat": value}, [])
    assert str(shown.value).startswith(f"doc_to_messages: task birds, item 7: {message}")


@pytest.mark.parametrize(
    ("contents", "kinds", "message"),
    [
        (["A?"], ["image"], "the item has 1 image, but the messages place 0: write <image> where it stands"),
        (["<image>?"], ["image", "image"], "the item has 2 images, but the messages place 1: write <image>"),
        (["<image>?"], [], "message 0: <image> but the item has no medium"),
        (["?", "<image3>"], ["image", "image"], "message 1: <image3> but the item has 2 images"),
        (["<image1>", "<image1>"], ["image", "image"], "message 1: <image1> stands here a second time"),
        (["<image>"], ["video"], "message 0: <image> but the item has 1 video"),
        (["<image><video>"], ["video", "image", "audio"], "the item has 1 video, 1 image, 1 audio, but the messages"),
    ],
)
def test_media_and_placeholders_must_match(contents, kinds, message):
    turns = read_turns([{"role": "user", "content": content} for content in contents])
    with pytest.raises(WrongTurns) as caught:
        place_turns(turns, kinds)
    assert str(caught.value).startswith(message)


@given(st.permutations(["image", "image", "video", "audio", "image"]), st.data())
def test_each_medium_stands_once_whatever_the_order_of_its_placeholders(kinds, data):
    numbered = data.draw(st.booleans())
    slots = []
    for kind in KINDS:
        of_kind = range(kinds.count(kind))
        slots += [f"<{kind}{n + 1}>" if numbered else f"<{kind}>" for n in of_kind]
    slots = data.draw(st.permutations(slots))
    turns = read_turns([{"role": "user", "content": f"a{slot}b"} for slot in slots])
    placed = place_turns(turns, kinds)
    found = [value for _, parts in placed for kind, value in parts if kind == "media"]
    assert sorted(found) == list(range(len(kinds)))
    for (_, parts), slot in zip(placed, slots, strict=True):
        assert parts[0] == ("text", "a")
        assert parts[2] == ("text", "b")
        assert kinds[parts[1][1]] in slot


def test_numbers_claim_their_media_first():
    turns = read_turns([{"role": "user", "content": text} for text in ("<image>", "<image1>", "<image>")])
    assert short(place_turns(turns, ["image"] * 3)) == ["user: [1]", "user: [0]", "user: [2]"]


def test_a_missing_medium_leaves_the_text_and_says_nothing():
    functions = made(doc_to_messages="chat")
    found = functions.conversation({"chat": HISTORY}, ["image"], whole=False)
    assert short(found) == ["user: <image> Which bird?", "assistant: An owl.", "user: And <image>?"]


def test_two_system_messages_are_told():
    chat = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    with pytest.raises(RenderError, match="begins with a system message, and so does system_prompt"):
        made(doc_to_messages="chat", system_prompt="c").conversation({"chat": chat}, [])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", ":1: doc_to_text: this field is required (or doc_to_messages)"),
        ("doc_to_messages: chat\ndoc_to_text: q\n", ":5: doc_to_text: doc_to_messages is the whole conversation"),
        ("doc_to_messages: chat\ndescription: q\n", ":5: description: doc_to_messages is the whole conversation"),
        (
            "doc_to_messages: []\n",
            ":4: doc_to_messages: expected a list of {role, content}, found []; a field, a function",
        ),
        (
            "doc_to_messages: 5\n",
            ":4: doc_to_messages: expected a list of {role, content}, found 5; a field, a function",
        ),
        (
            "doc_to_messages:\n  - role: user\n    content: a\n  - role: bot\n    content: b\n",
            ":7: doc_to_messages.1.role: expected system, user, assistant, found 'bot'",
        ),
        (
            "doc_to_messages:\n  - role: user\n    content: 'a {{ b'\n",
            ":6: doc_to_messages: not Jinja: unexpected end of template",
        ),
        (
            "doc_to_messages:\n  - {role: system, content: a}\n  - {role: user, content: b}\nsystem_prompt: c\n",
            ":7: system_prompt: doc_to_messages begins with a system message: keep one of them",
        ),
        ("doc_to_messages: !function utils.f\n", ":4: doc_to_messages: function utils.f: no such file"),
        ("doc_to_text: q\nsystem_prompt: 5\n", ":5: system_prompt: expected text (Jinja) or a function, found 5"),
        ("doc_to_text: q\nsystem_prompt: '{{ a'\n", ":5: system_prompt: not Jinja: unexpected end of template"),
        (
            "doc_to_text: q\nvideo: {mode: frames}\n",
            ":5: video.mode: frames need one of num_frames, fps, keyframes and scenes",
        ),
        ("doc_to_text: q\nvideo: {num_frames: 2, fps: 1}\n", ":5: video.fps: frames need one of num_frames, fps"),
        (
            "doc_to_text: q\nvideo: {num_frames: 0}\n",
            ":5: video.num_frames: input should be greater than or equal to 1, found 0",
        ),
        ("doc_to_text: q\nvideo: {fps: 0}\n", ":5: video.fps: input should be greater than 0, found 0"),
        ("doc_to_text: q\nvideo: {num_frames: 2, max_frames: 4}\n", ":5: video.max_frames: goes with fps"),
        ("doc_to_text: q\nvideo: {mode: native, num_frames: 2}\n", ":5: video.num_frames: only `mode: frames` samples"),
        ("doc_to_text: q\nvideo: {mode: film}\n", ":5: video.mode: input should be 'frames' or 'native', found 'film'"),
        ("doc_to_text: q\nvideo: {frames: 8}\n", ":5: video.frames: unknown field: did you mean"),
        ("doc_to_text: q\nmax_pixels: 0\n", ":5: max_pixels: input should be greater than or equal to 1, found 0"),
        ("doc_to_text: q\nmax_pixels: 5\nmin_pixels: 6\n", ":6: min_pixels: expected at most max_pixels (5), found 6"),
        (
            "doc_to_text: q\nchat_template_kwargs: {a: 1}\n",
            ":5: chat_template_kwargs: not a field here: write it in generation_kwargs",
        ),
        (
            "doc_to_text: q\ngeneration_kwargs:\n  chat_template_kwargs: [enable_thinking]\n",
            ":6: generation_kwargs.chat_template_kwargs: expected a mapping of names to values, such as",
        ),
        (
            "doc_to_text: q\ngeneration_kwargs: {chat_template_kwargs: {tokenize: true}}\n",
            ":5: generation_kwargs.chat_template_kwargs: 'tokenize' is not a template's own argument",
        ),
        (
            "doc_to_text: q\ngeneration_kwargs: {chat_template_kwargs: {day: 2020-01-01}}\n",
            ":5: generation_kwargs.chat_template_kwargs: expected values that JSON has",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_line(write, fields, message):
    path = write("birds.yaml", BASE + fields)
    with pytest.raises(TaskError) as caught:
        load_task(path)
    assert str(caught.value).removeprefix(str(path)).startswith(message)


def test_the_digest_of_a_prompt_counts_what_the_model_sees_and_only_where_it_is_given():
    def digest(**fields):
        return prompt_digest(TaskDef(task="t", dataset_path="x", judge="exact", **fields))

    plain = digest(doc_to_text="{{ question }}")
    assert plain == digest(doc_to_text="{{ question }}", system_prompt=None, video={"mode": "native"})
    others = [
        digest(doc_to_text="{{ question }}", **fields)
        for fields in ({"system_prompt": "a"}, {"video": {"fps": 1}}, {"max_pixels": 9}, {"min_pixels": 9})
    ]
    others += [digest(doc_to_messages="chat"), digest(doc_to_messages=HISTORY), digest(doc_to_messages=HISTORY[2:])]
    assert len({plain, *others}) == len(others) + 1


def test_template_arguments_are_generation_parameters_and_absent_where_there_are_none():
    task = TaskDef(
        task="t", dataset_path="x", judge="exact", doc_to_text="q",
        generation_kwargs={"chat_template_kwargs": {"enable_thinking": False, "effort": ["low"]}},
    )  # fmt: skip
    sent = task.generation_kwargs.to_dict()
    assert sent == {"temperature": 0.0, "chat_template_kwargs": {"enable_thinking": False, "effort": ["low"]}}
    empty = task.model_copy(update={"generation_kwargs": type(task.generation_kwargs)(chat_template_kwargs={})})
    assert empty.generation_kwargs.to_dict() == {"temperature": 0.0}
