/** The help of the server's settings in German, by name; the English one is the server's own. */
export const help: Readonly<Record<string, string>> = {
  host: "Adresse, auf der gelauscht wird. Jenseits dieses Rechners braucht jede Anfrage einen Schlüssel.",
  port: "Port, auf dem gelauscht wird; bei 0 wählt das System einen.",
  model: "Modell für Anfragen, die keines nennen: eine ID aus `paddock models list` oder eine GGUF-Datei.",
  context_tokens: "Kontext jedes Platzes in Token; 0 nimmt, wofür das Modell trainiert ist, höchstens 16384.",
  slots: "Anfragen, an denen die Engine zugleich arbeitet; jede hat einen Kontext für sich.",
  threads: "Threads der Engine auf dem Prozessor; 0 nimmt einen je Kern.",
  batch_tokens: "Prompt-Token, die gelesen werden, bevor wieder nachgesehen wird, ob der Client noch da ist.",
  strict_wire: "Ablehnen, was sonst ausgebessert und in `x-paddock-normalized` genannt würde.",
  status_deadline_s:
    "Sekunden, die ein Strom auf den Status der Engine wartet, bevor er beginnt und am Leben gehalten wird.",
  keepalive_s: "Sekunden der Stille in einem offenen Strom, nach denen ein Kommentar gesendet wird.",
  answer_timeout_s:
    "Sekunden, die die Engine brauchen darf, bis ihre Antwort beginnt (bis sie ganz da ist, wenn sie nicht strömt).",
  abandoned_timeout_s:
    "Sekunden, die eine Engine, die sonst niemand benutzt, für einen Client rechnen darf, der gegangen ist; dann wird sie ersetzt.",
  answer_tokens_most:
    "Höchste Zahl der Token einer Antwort, deren Anfrage keine Grenze setzt; bei 0 geht sie bis zum Ende des Kontexts.",
  load_timeout_s: "Sekunden, die ein Modell zum Laden brauchen darf.",
  memory_budget_bytes:
    "Speicher, den geladene Modelle zusammen belegen dürfen; 0 nimmt 80 % dessen, was beim Start frei ist.",
  models_most: "Modelle, die zugleich geladen sind; bei 0 so viele, wie in den Speicher passen.",
  queue_most:
    "Anfragen, die auf ein Modell oder einen seiner Plätze warten dürfen; jede weitere wird abgelehnt.",
  queue_patience_s:
    "Sekunden, nach denen eine Anfrage, die auf Platz wartet, neue an die Modelle aufhält, die ihr im Weg sind.",
  idle_unload_s: "Sekunden, nach denen ein Modell, das niemand braucht, entladen wird; 0 heißt nie.",
  slot_cache_bytes:
    "Platz auf dem Datenträger für Gespräche entladener Modelle, damit sie nicht neu gelesen werden; bei 0 bleibt keines.",
  max_body_bytes: "Größter Körper einer Anfrage, der gelesen wird.",
  allowed_origins:
    "Web-Adressen, durch Kommas getrennt, deren Seiten paddock aufrufen dürfen, etwa `http://localhost:3000`.",
  require_key: "Auch auf diesem Rechner einen Schlüssel verlangen.",
  database_url:
    "Wo Antworten und Schlüssel liegen: `postgresql://user@host/name`; ohne Angabe eine SQLite-Datei bei paddocks Daten.",
  response_days: "Tage, die eine gespeicherte Antwort aufbewahrt wird.",
  guard_control_text:
    "Unterbrechen, was in einer Nachricht wie ein Steuertext des Modells aussieht, damit es keinen Zug beendet oder beginnt.",
  fetch_images: "Bilder holen, die eine Anfrage mit einer öffentlichen http- oder https-Adresse nennt.",
  image_most_bytes: "Größtes Bild, das geholt oder gelesen wird.",
  fetch_timeout_s: "Sekunden, die das Holen eines Bildes dauern darf.",
  model_folders:
    "Ordner, deren Modelle an Ort und Stelle verwendet werden, durch „:“ getrennt (unter Windows durch „;“).",
  scan_others:
    "Die Modelle auflisten, die im Cache des Hubs, bei LM Studio und Ollama liegen. Dort wird nie geschrieben.",
  lmstudio_folder: "Ordner der Modelle von LM Studio; ohne Angabe die üblichen.",
  ollama_folder: "Ordner der Modelle von Ollama; ohne Angabe OLLAMA_MODELS oder die üblichen.",
  downloads_at_once: "Downloads, die zugleich laufen; weitere warten.",
  lend_hub_token:
    "Das Hub-Token dieses Servers (HF_TOKEN oder ein verwahrtes) auch für Downloads verwenden, die über die API verlangt werden.",
  engine:
    "Engine: ein Build aus `paddock engine list`, der Pfad eines llama-server oder `embedded`; ohne Angabe die aktive.",
  engine_mirror: "Adresse, die statt GitHub die Veröffentlichungen von llama.cpp anbietet.",
  record: "Jede Anfrage im Flugschreiber aufzeichnen; `x-paddock-record: 1` zeichnet eine einzelne auf.",
  record_most_bytes: "Platz für aufgezeichnete Anfragen; die ältesten gehen zuerst.",
  record_days: "Tage, die eine aufgezeichnete Anfrage aufbewahrt wird.",
  receive_timeout_s:
    "Sekunden, in denen der Kopf einer Anfrage kommen muss, und jedes weitere Stück ihres Rumpfs.",
  shutdown_grace_s: "Sekunden, die laufende Anfragen zum Fertigwerden haben, wenn paddock beendet wird.",
  require_login: "Auch auf diesem Rechner einen Schlüssel oder eine Anmeldung verlangen.",
  server_names:
    "Namen, unter denen Browser dieses paddock außer unter seiner Adresse erreichen, mit Kommas dazwischen.",
  trusted_proxies: "Adressen von Proxys, deren Angaben über Clients geglaubt wird, mit Kommas dazwischen.",
  tls_cert: "Ein Zertifikat in PEM: paddock spricht HTTPS. `self-signed` erzeugt eines.",
  tls_key: "Der Schlüssel des Zertifikats, wo er nicht in derselben Datei liegt.",
  knowledge_model:
    "Das Einbettungsmodell, mit dem Dokumente nach ihrer Bedeutung gefunden werden; leer: nur nach ihren Wörtern.",
  search_address:
    "Die Adresse eines SearXNG, das als JSON antwortet und das das Werkzeug web_search fragt; leer schaltet es aus.",
  tools_network:
    "Code, den Modelle schreiben, alles erreichen lassen, was dieser Rechner erreicht, auch dieses paddock.",
  tools_unsafe:
    "Code, den Modelle schreiben, ohne Wände ausführen, als der Benutzer von paddock: in einem Container, oder gar nicht.",
  unsafe_no_auth: "Für andere Rechner offen sein, obwohl von niemandem ein Schlüssel verlangt wird.",
  log_level: "Geringste Stufe, die im Protokoll erscheint: debug, info, warning oder error.",
  log_format: "Wie das Protokoll geschrieben wird: text, oder json für ein Objekt je Zeile.",
  trace_endpoint:
    "Adresse eines OpenTelemetry-Collectors (OTLP über HTTP), der Traces bekommt; leer: keine werden gesendet.",
};
