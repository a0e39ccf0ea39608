/** The help of a training's options in German, by name; the English one is the server's own. */
export const help: Readonly<Record<string, string>> = {
  base: "Das Modell, das trainiert wird: ein Ordner in der Form von Transformers, oder `pocket-v0`.",
  data: "Die Zeilen, aus denen gelernt wird: eine Datei (jsonl, json oder csv), oder das Beispiel `llama-keeper`.",
  eval_data: "Zeilen, auf die nie trainiert wird; leer: `eval_share` der Daten wird zurückgehalten.",
  eval_share: "Anteil der Zeilen, der zurückgehalten wird, wo `eval_data` fehlt.",
  method:
    "sft lernt Antworten, cpt bloßen Text; dpo und orpo lernen aus Paaren einer besseren und einer schlechteren Antwort, kto aus guten und schlechten Antworten; grpo aus Belohnungen für Antworten, die das Modell selbst gibt; embedding lernt, welche Texte sich ähneln.",
  tuning: "lora trainiert einen kleinen Zusatz, full jedes Gewicht.",
  lora_rank: "Rang des Zusatzes.",
  lora_alpha: "Dies durch den Rang ist sein Maßstab.",
  lora_dropout: "Anteil der Eingaben des Zusatzes, der zufällig weggelassen wird.",
  lora_modules: "Module, die einen bekommen, durch Kommas getrennt.",
  lora_is_scaled_by_root: "rsLoRA: stattdessen durch die Wurzel des Rangs teilen.",
  lora_is_decomposed:
    "DoRA: Richtung und Länge werden getrennt trainiert; als GGUF entsteht das ganze Modell.",
  base_is_in_4_bits:
    "QLoRA: das Ausgangsmodell, das nicht trainiert wird, liegt in 4 Bit vor (NF4, seine Maßstäbe in 8).",
  preference_weight:
    "dpo und kto: wie fest das Modell an dem gehalten wird, was es war. orpo: Gewicht der Vorliebe neben dem Loss der besseren Antwort.",
  preference_loss: "Loss eines Paares.",
  good_weight: "Gewicht guter Antworten; höher, wo sie seltener sind.",
  bad_weight: "Gewicht schlechter Antworten; höher, wo sie seltener sind.",
  rewards:
    "Wofür eine Antwort belohnt wird, jeweils mit dem Gewicht, wo es nicht 1 ist, etwa `json, length=0.5`: json, tool_call, regex, length, python, judge.",
  reward_pattern: "regex: was in der Antwort stehen muss, wie Pythons `re` es schreibt.",
  reward_tokens: "length: wie lang eine Antwort sein soll.",
  reward_code: "python: eine Datei mit einer Funktion `reward(answer, row)`, die eine Zahl gibt.",
  runs_code: "Du hast `reward_code` gelesen und lässt ihn laufen, eingesperrt.",
  judge_model: "judge: das Modell dieses paddock, das gefragt wird.",
  judge_question: "judge: was ihm aufgetragen wird. Die erste Zahl seiner Antwort zählt, in Zehnteln.",
  group_answers: "Antworten auf einen Prompt, die miteinander verglichen werden.",
  answer_tokens: "Längste Antwort, die das Modell gibt.",
  temperature: "Wie frei Antworten gezogen werden.",
  top_p: "Anteil der wahrscheinlichsten Tokens, aus denen gezogen wird.",
  kl_weight: "Wie fest das Modell an dem gehalten wird, was es war.",
  clip_share: "Wie weit ein Schritt die Aussichten eines Tokens höchstens ändert, als Anteil.",
  dry_run:
    "Zwei Schritte auf den längsten Zeilen, Zusammenführen, GGUF, die Engine und eine Antwort: vor dem Training, an seiner Stelle, oder gar nicht.",
  train_on: "Was gelernt wird: jede Antwort, die letzte Antwort einer Zeile, oder alles.",
  context_tokens: "Längste Zeile.",
  too_long: "Was aus längeren Zeilen wird: weggelassen, am Ende gekürzt, oder ein Grund, nicht zu beginnen.",
  packs: "Mehrere Zeilen in eine von `context_tokens` packen; keine sieht die andere.",
  epochs: "Wie oft jede Zeile gesehen wird, wo `steps` 0 ist.",
  steps: "Schritte insgesamt; bei 0 gilt `epochs`.",
  batch_rows: "Zeilen, die zugleich gelesen werden.",
  accumulate: "Stapel je Schritt, von allen Prozessen zusammen.",
  learning_rate: "Größte Lernrate.",
  schedule: "Wie die Lernrate fällt.",
  warmup_share: "Anteil der Schritte, in dem die Lernrate steigt.",
  weight_decay: "Zug jedes Gewichts nach 0.",
  gradient_clip: "Längster Gradient; 0 ist jeder.",
  precision: "Zahlen, in denen gerechnet wird; auto nimmt bf16, wo der Rechner es hat.",
  saves_memory: "Aktivierungen zweimal berechnen, statt sie zu behalten.",
  seed: "Derselbe Startwert gibt auf demselben Rechner dieselben Gewichte.",
  threads: "Threads auf dem Prozessor; 0 überlässt es torch.",
  pooling:
    "Wie aus den Vektoren der Tokens eines Textes einer wird: ihr Mittel, der des ersten oder der des letzten; auto ist, wie das Ausgangsmodell es sagt, sonst das Mittel.",
  similarity_scale: "Schärfe, mit der der richtige Text von den anderen unterschieden wird.",
  makes_room:
    "Modelle entladen lassen, die niemand benutzt, und sie am Ende wieder laden: auto, wo weniger Speicher frei ist als geschätzt. Angeheftete Modelle bleiben, und Anfragen werden nie unterbrochen.",
  processes:
    "Prozesse, die zusammen trainieren, jeder auf einer eigenen Karte oder alle auf dem Prozessor. Sie teilen sich die Stapel eines Schritts, das Training bleibt also dasselbe.",
  strategy: "ddp: Jeder Prozess hält das ganze Modell; fsdp: Sie teilen es unter ihren Karten auf.",
  cluster:
    "Wo die Prozesse laufen: leer ist dieser Rechner; `ray` ein Ray, das hier für das Training gestartet wird; sonst die Adresse eines laufenden Ray, etwa `auto` oder `10.0.0.5:6379`.",
  log_every_steps: "Schritte von einem Wert des Loss zum nächsten.",
  eval_every_steps: "Schritte von einem Blick auf zurückgehaltene Zeilen zum nächsten; 0 ist zehn je Lauf.",
  sample_prompts:
    "Prompts, je Zeile einer, die das Modell beantwortet, sooft zurückgehaltene Zeilen angesehen werden; höchstens sechzehn.",
  sample_tokens: "Längste solche Antwort, in Tokens.",
  trackers:
    "Wohin die Zahlen neben paddocks eigener Seite gehen, etwa `tensorboard, mlflow`: tensorboard, wandb, mlflow, trackio. Jeder behält sie auf diesem Rechner; `wandb=online` und `mlflow=online` schicken sie fort.",
  save_every_steps: "Schritte von einem Sicherungspunkt zum nächsten; 0 ist zehn je Lauf.",
  makes_gguf: "Das Gelernte auch als GGUF schreiben, das die Engine lädt.",
  keep_checkpoints: "Sicherungspunkte, die behalten werden, die neuesten.",
};
