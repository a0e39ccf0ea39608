# `llm` against a paddock: plain, streamed, with a tool that it runs and answers for, with a schema, and its error.
set -eu
mkdir -p "$LLM_USER_PATH"
cat > "$LLM_USER_PATH/extra-openai-models.yaml" <<YAML
- model_id: local
  model_name: pocket-v0
  api_base: $PADDOCK_URL/v1
  supports_tools: true
  supports_schema: true
- model_id: unknown
  model_name: nope
  api_base: $PADDOCK_URL/v1
YAML
test -n "$("$LLM" -m local --key any --no-stream Hello)"
test -n "$("$LLM" -m local --key any Hello)"
weather='def get_weather(city: str) -> str:
    "Weather of a city"
    return "sunny in " + city'
said=$("$LLM" -m local --key any -o max_tokens 200 -o temperature 0 --functions "$weather" --td "What is the weather in Lisbon?" 2>&1)
echo "$said" | grep "Tool call: get_weather({'city': 'Lisbon'})"
echo "$said" | grep "The answer is sunny in Lisbon"
"$LLM" -m local --key any -o max_tokens 200 --schema 'is_blue bool' "Is the sky blue?" | grep is_blue
if said=$("$LLM" -m unknown --key any Hello 2>&1); then exit 1; fi
echo "$said" | grep "There is no model 'nope'"
if "$LLM" -m local --key any -o max_tokens nonsense Hello; then exit 1; fi
echo done
