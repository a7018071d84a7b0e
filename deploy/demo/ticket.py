#!/usr/bin/python3 -B
"""coprocess robot of station `ticket`: it sees what the stations before found, and writes the ticket that a person would open."""
import re

import coprocess

TOPICS = {  # first match wins where the counts are equal: what costs money stands before what costs time
    "refund": "refund|money back|cancel order|reembolso|devuelvan|rembours|annuler|erstattung|storniere|kurudishiwa|फिर्ता|रद्द",
    "damage": "broken|broke|damage|crack|crushed|missing|wrong item|daño|rota|falta una|grieta|abîmé|cassé|manque|beschädigt|kaputt|"
              "fehlt|quebrado|molhada|imevunjika|limelowa|बिग्रिएको|भिजेको",
    "delivery": "arriv|courier|deliver|parcel|tracking|depot|mensajero|paquete|entrega|llegado|colis|livraison|lieferung|paket|encomenda|atrasad|"
                "mzigo|imechelewa|आइपुगेको",
    "invoice": "invoice|charged|vat|statement|factura|cobraron|facture|tva|rechnung|nota fiscal|cnpj",
    "account": "log in|password|my account|change the delivery address|contraseña|mi cuenta|dirección de mi|mon compte|mot de passe|passwort|anmelden|meine adresse|minha conta|senha",
    "praise": "wonderful|five stars|great product|buy again|fast delivery|i love|best purchase|muy buen|excelente|encantada|très bon|parfait|sehr gute|gerne wieder|"
              "adorei|parabéns|nzuri sana|nimefurahi|धेरै राम्रो",
    "question": r"\?|¿",
}
PATTERNS = {topic: re.compile(words) for topic, words in TOPICS.items()}
URGENT = re.compile(r"urgent|as soon as|immediately|charged twice|dos veces|!!!|leave for")
ORDER = re.compile(r"#\d{4,}")
GREETING = re.compile(r"^(hi|hello|hey|dear|good|to whom|hola|buen|estimad|bonjour|bonsoir|madame|guten|hallo|sehr geehrte|olá|bo[am]|"
                      r"habari|hujambo|salamu|नमस्ते|आदरणीय)[^,:!\n]{0,40}[,:!\n]\s*", re.I)


def subject_of(text, order):
    body = GREETING.sub("", text)
    first = re.split(r"(?<=[.?!।])\s|\n", body, maxsplit=1)[0]
    if len(first) > 70:
        first = first[:67].rsplit(" ", 1)[0] + "..."
    return f"[{order}] {first}" if order and order not in first else first


def ticket(task):
    fields = task["fields"]
    text = fields["clean.text"]
    low = text.lower()
    counts = {topic: len(pattern.findall(low)) for topic, pattern in PATTERNS.items()}
    counts["question"] = min(counts["question"], 1)
    topic = max(counts, key=counts.get) if any(counts.values()) else "other"
    order = ORDER.search(text)
    if topic == "praise":
        priority = "low"
    elif URGENT.search(low) or (topic in ("refund", "damage") and fields["channel"] != "review"):
        priority = "high"
    else:
        priority = "normal"
    # `contact` is skipped for reviews: then its fields are null.
    reply_to = fields["contact.email"] or fields["contact.phone"] or ""
    language = fields["language.language"]
    team = f"{topic}-{language}" if fields["language.certainty"] >= 0.5 else f"{topic}-any"
    subject = subject_of(text, order[0] if order else "")
    if task.get("context", {}).get("reason") == "no order number":  # a reviewer sent it back
        subject = "[order unknown] " + subject
    return {"subject": subject, "topic": topic, "priority": priority, "team": team, "reply_to": reply_to}


if __name__ == "__main__":
    coprocess.serve(ticket, whole=True)
