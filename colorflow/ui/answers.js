// Gradio 6.31 gives its stream of answers up at the server's word, even if that word was overtaken by
// the promise of one more: that answer is never read, and what was clicked seems to do nothing (1 of 912
// clicks on a busy machine). Here that word is left out: the stream goes on with what is promised next.
{
    const plain = window.fetch;
    const encoder = new TextEncoder();
    const promised = new Set();
    const early = new Set(); // came before their promise was read
    let promise = () => {};
    const read = (message) => {
        if (message.msg === "process_completed" && !promised.delete(message.event_id))
            early.add(message.event_id);
    };
    const parts = async (stream, found) => {
        const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
            const texts = (rest + part.value).split("\n\n");
            rest = texts.pop();
            texts.forEach(found);
        }
    };
    const join = async (resource, options) => {
        const reply = await plain(resource, options);
        if (!reply.ok) return reply;
        const id = (await reply.clone().json()).event_id;
        if (!early.delete(id)) promised.add(id);
        promise();
        return reply;
    };
    const follow = async (sink, first, request) => {
        for (let reply = first; ; reply = await plain(request.clone())) {
            if (!reply.ok) throw new Error(await reply.text());
            const before = [...promised];
            await parts(reply.body, (text) => {
                const message = JSON.parse(text.slice("data: ".length));
                read(message);
                if (message.msg !== "close_stream") sink.enqueue(encoder.encode(`${text}\n\n`));
            });
            before.forEach((id) => promised.delete(id)); // what has not come by now never will
            if (!promised.size) await new Promise((wake) => (promise = wake));
        }
    };
    window.fetch = async (resource, options) => {
        const path = new URL(resource.url ?? resource, location.href).pathname;
        if (path.endsWith("/queue/join")) return join(resource, options);
        if (!path.endsWith("/queue/data")) return plain(resource, options);
        const request = new Request(resource, options);
        const first = await plain(request.clone());
        if (!first.ok) return first;
        const start = (sink) => {
            follow(sink, first, request).catch((error) => sink.error(error));
        };
        return new Response(new ReadableStream({ start }), first);
    };
}
