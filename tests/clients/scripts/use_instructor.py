"""instructor against a paddock: typed answers by tool, by JSON and by schema, and an error's class."""

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
