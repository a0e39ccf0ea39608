"""instructor against a paddock: typed answers by tool and by schema, whole and in parts, after a tool's turn, plain
text, and an error's class.
"""

import os

import instructor
import openai
from instructor.exceptions import InstructorRetryException
from pydantic import BaseModel


class Sky(BaseModel):
    """What the sky looks like."""

    is_blue: bool


client = openai.OpenAI(base_url=os.environ["PADDOCK_URL"] + "/v1", api_key="any", max_retries=0)
ask = [{"role": "user", "content": "Is the sky blue? Answer with is_blue true or false."}]
for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):
    patched = instructor.from_openai(client, mode=mode)
    answer = patched.chat.completions.create(model="pocket-v0", response_model=Sky, messages=ask, max_tokens=200)
    assert isinstance(answer, Sky), mode
patched = instructor.from_openai(client, mode=instructor.Mode.TOOLS)
parts = list(
    patched.chat.completions.create_partial(model="pocket-v0", response_model=Sky, messages=ask, max_tokens=200)
)
assert isinstance(parts[-1].is_blue, bool)
plain = patched.chat.completions.create(model="pocket-v0", response_model=None, messages=ask, max_tokens=50)
assert plain.choices[0].message.content
call = {"id": "call_1", "type": "function", "function": {"name": "Sky", "arguments": '{"is_blue": true}'}}
turns = [
    *ask, {"role": "assistant", "content": None, "tool_calls": [call]},
    {"role": "tool", "tool_call_id": "call_1", "content": "noted"}, ask[0],
]  # fmt: skip
assert isinstance(
    patched.chat.completions.create(model="pocket-v0", response_model=Sky, messages=turns, max_tokens=200), Sky
)
try:
    patched = instructor.from_openai(client, mode=instructor.Mode.TOOLS)
    patched.chat.completions.create(model="nope", response_model=Sky, messages=ask, max_retries=0)
    raise AssertionError("no error")
except openai.NotFoundError:
    pass
except InstructorRetryException as error:
    if "nope" not in str(error):
        raise
print("done")
