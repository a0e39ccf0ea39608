"""langchain-openai against a paddock: plain, stream, tools, multi-turn tools, structured output, an error's class."""

import os

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Sky(BaseModel):
    """What the sky looks like."""

    is_blue: bool


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}"


url = os.environ["PADDOCK_URL"] + "/v1"
model = ChatOpenAI(base_url=url, api_key="any", model="pocket-v0", max_retries=0, max_tokens=200)
assert model.invoke("Hello").content
assert "".join(str(piece.content) for piece in model.stream("Hello"))
ask = HumanMessage("What is the weather in Lisbon?")
called = model.bind_tools([get_weather], tool_choice="required").invoke([ask])
call = called.tool_calls[0]
assert call["name"] == "get_weather", called
assert call["args"]["city"], called
result = ToolMessage(content="Sunny, 21 degrees", tool_call_id=call["id"])
assert model.bind_tools([get_weather]).invoke([ask, called, result]).content is not None
assert isinstance(model.with_structured_output(Sky, method="json_schema").invoke("Is the sky blue?"), Sky)
try:
    ChatOpenAI(base_url=url, api_key="any", model="nope", max_retries=0).invoke("x")
    raise AssertionError("no error")
except openai.NotFoundError:
    pass
print("done")
