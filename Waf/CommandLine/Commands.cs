using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WebRtcIms.Waf.CommandLine;

/// <summary>The words of the command, and the request that each makes.</summary>
internal sealed class Commands
{
    private const string DefaultUrl = "http://localhost:8085";

    private readonly Option<Uri> _url =
        new("--url") { Description = "The address of the administration; by default Waf:Admin:Url.", Recursive = true };

    private readonly Option<bool> _json = new("--json") { Description = "Prints the response as JSON.", Recursive = true };
    private readonly IConfiguration _configuration;
    private readonly TextWriter _output;
    private readonly TextWriter _error;

    private Commands(IConfiguration configuration, TextWriter output, TextWriter error) =>
        (_configuration, _output, _error) = (configuration, output, error);

    public static RootCommand Create(IConfiguration configuration, TextWriter output, TextWriter error) =>
        new Commands(configuration, output, error).Create();

    private RootCommand Create() => new(
        "Administers a running WAF. It sends the token in the environment variable WAF_ADMIN_TOKEN, if there is one.")
    {
        _url, _json, Clients(), Keys(), Tokens(), Revoke(), Audit(),
    };

    private Command Clients()
    {
        var (limit, offset) = (Number("--limit", "The most to list."), Number("--offset", "How many to leave out before."));
        var client = Word("client", "The client id.");
        return new Command("clients", "OAuth clients.")
        {
            Get("list", "Lists clients.", words => WithQuery("clients", words, limit, offset),
                (list, output) => Table.Print(list.EnumerateArray(), output,
                    "client_id", "name", "source", "registered_at", "initial_access_token", "limits.scopes",
                    "limits.audiences", "limits.impus"),
                limit, offset),
            Get("show", "Shows a client, as JSON.", words => $"clients/{Escape(words, client)}", (found, output) => output.WriteLine(found),
                client),
            Delete("delete", "Revokes the tokens of a registered client, and deletes it.", words => $"clients/{Escape(words, client)}",
                "The client is deleted.", client),
        };
    }

    private Command Keys()
    {
        var server = new Argument<string?>("server") { Description = "A TURN server; by default all.", Arity = ArgumentArity.ZeroOrOne };
        var kid = Word("kid", "The name of the key.");
        return new Command("keys", "Long-term keys of TURN servers.")
        {
            Get("list", "Lists keys.", _ => "keys", (rings, output) => Table.Print(rings.EnumerateArray().SelectMany(KeysOf), output,
                "server", "kid", "state", "current_at", "retires_at", "expires_at")),
            Post("rotate", "Makes the next key current.", "keys/rotations", words => new() { ["server"] = words.GetValue(server) },
                (rotated, output) => Table.Print(rotated.EnumerateArray(), output, "server", "kid"), server),
            Post("revoke", "Revokes a key: its tokens end at once.", "revocations", words => new() { ["kid"] = words.GetValue(kid) },
                Say("The key is revoked."), kid),
        };
    }

    private Command Tokens()
    {
        var name = new Option<string?>("--name") { Description = "A name for the audit." };
        var uses = Number("--uses", "How many clients may be registered with it; by default 1.");
        var lifetime = new Option<TimeSpan?>("--lifetime") { Description = "How long it may be used, such as 02:00:00; by default a day." };
        var audiences = List("--audience", "A TURN server that its clients may get tokens for; by default all.");
        var impus = List("--impu", "Identities that its clients may register, such as sip:guest-*@example.org; by default none.");
        var wwsf = new Option<string?>("--wwsf") { Description = "Its clients' name in registration tokens; by default the client id." };
        var longest = new Option<TimeSpan?>("--max-token-lifetime") { Description = "The longest lifetime of the clients' tokens." };
        var rate = Number("--requests-per-minute", "Token requests that each client may send in a minute to one replica.");
        var ended = Word("name", "The name of the token.");
        return new Command("tokens", "Initial access tokens, with which clients register themselves.")
        {
            Post("initial", "Creates an initial access token, and shows it once.", "initial-access-tokens", words => new()
            {
                ["name"] = words.GetValue(name),
                ["uses"] = words.GetValue(uses),
                ["lifetime"] = words.GetValue(lifetime)?.ToString("c"),
                ["audiences"] = ToJson(words.GetValue(audiences)),
                ["impus"] = ToJson(words.GetValue(impus)),
                ["wwsf"] = words.GetValue(wwsf),
                ["max_token_lifetime"] = words.GetValue(longest)?.ToString("c"),
                ["requests_per_minute"] = words.GetValue(rate),
            }, (created, output) => Table.Print([created], output, "name", "token", "uses", "expires_at"),
            name, uses, lifetime, audiences, impus, wwsf, longest, rate),
            Get("list", "Lists initial access tokens.", _ => "initial-access-tokens", (list, output) => Table.Print(
                list.EnumerateArray(), output,
                "name", "uses_left", "created_at", "expires_at", "limits.scopes", "limits.audiences", "limits.impus")),
            Delete("end", "Ends an initial access token. Its clients stay.", words => $"initial-access-tokens/{Escape(words, ended)}",
                "The token is ended.", ended),
        };
    }

    private Command Revoke()
    {
        var (kid, tokenId) = (Word("kid", "The kid of the token."), Word("token-id", "Its token id, as in the audit."));
        var (client, session) = (Word("client", "The client id."), Word("session", "The pseudonym of the session (sid)."));
        return new Command("revoke", "Revokes tokens. Their allocations and registrations end at once.")
        {
            Post("token", "Revokes a TURN token.", "revocations",
                words => new() { ["kid"] = words.GetValue(kid), ["token_id"] = words.GetValue(tokenId) }, Say("The token is revoked."),
                kid, tokenId),
            Post("client", "Revokes the TURN tokens that a client got until now.", "revocations",
                words => new() { ["client_id"] = words.GetValue(client) }, Say("The client's tokens are revoked."), client),
            Post("session", "Revokes the TURN tokens and the registrations of a session.", "revocations",
                words => new() { ["session"] = words.GetValue(session) }, Say("The session is revoked."), session),
            Post("all", "Revokes all TURN tokens that were issued until now.", "revocations", _ => new() { ["all"] = true },
                Say("All tokens are revoked.")),
        };
    }

    private Command Audit()
    {
        var limit = Number("--limit", "The most to list.");
        var before = new Option<long?>("--before") { Description = "Lists what is older than the act with this id." };
        Option<string?>[] filters =
        [
            new("--actor") { Description = "Only acts of this actor." },
            new("--action") { Description = "Only such acts, as token.issued." },
            new("--subject") { Description = "Only acts on this subject." },
        ];
        return new Command("audit", "Who did what.")
        {
            Get("list", "Lists acts, the newest first.", words => WithQuery("audit", words, [limit, before, .. filters]),
                (page, output) => Table.Print(page.GetProperty("entries").EnumerateArray(), output,
                    "id", "at", "actor", "action", "subject", "address"),
                [limit, before, .. filters]),
        };
    }

    private Command Get(
        string name, string description, Func<ParseResult, string> path, Action<JsonElement, TextWriter> print, params Symbol[] words) =>
        Create(name, description, words, (client, parsed, cancellation) =>
            client.SendAsync(HttpMethod.Get, path(parsed), null, print, cancellation));

    private Command Delete(string name, string description, Func<ParseResult, string> path, string done, params Symbol[] words) =>
        Create(name, description, words, (client, parsed, cancellation) =>
            client.SendAsync(HttpMethod.Delete, path(parsed), null, Say(done), cancellation));

    private Command Post(
        string name, string description, string path, Func<ParseResult, JsonObject> body, Action<JsonElement, TextWriter> print,
        params Symbol[] words) =>
        Create(name, description, words, (client, parsed, cancellation) =>
            client.SendAsync(HttpMethod.Post, path, body(parsed), print, cancellation));

    private Command Create(
        string name, string description, Symbol[] words, Func<AdminClient, ParseResult, CancellationToken, Task<int>> run)
    {
        var command = new Command(name, description);
        foreach (var option in words.OfType<Option>()) command.Options.Add(option);
        foreach (var argument in words.OfType<Argument>()) command.Arguments.Add(argument);
        command.SetAction((parsed, cancellation) => run(Connect(parsed), parsed, cancellation));
        return command;
    }

    private AdminClient Connect(ParseResult words)
    {
        var token = _configuration["WAF_ADMIN_TOKEN"] ?? _configuration["Waf:Admin:Operators:0:Token"];
        var address = words.GetValue(_url) ?? AddressOf(_configuration["Waf:Admin:Url"] is { Length: > 0 } url ? url : DefaultUrl);
        return new AdminClient(address, string.IsNullOrEmpty(token) ? null : token, words.GetValue(_json), _output, _error);
    }

    // An address to listen on may stand for all addresses of the machine.
    private static Uri AddressOf(string url)
    {
        var address = BindingAddress.Parse(url);
        var host = address.Host is "*" or "+" or "0.0.0.0" or "[::]" ? "localhost" : address.Host;
        return new Uri($"{address.Scheme}://{host}:{address.Port}/");
    }

    private static IEnumerable<JsonElement> KeysOf(JsonElement ring) => ring.GetProperty("keys").EnumerateArray().Select(key =>
    {
        var row = JsonObject.Create(key)!;
        row["server"] = ring.GetProperty("server").GetString();
        return JsonSerializer.SerializeToElement(row);
    });

    private static Action<JsonElement, TextWriter> Say(string done) => (_, output) => output.WriteLine(done);

    private static Option<int?> Number(string name, string description) => new(name) { Description = description };

    private static Argument<string> Word(string name, string description) => new(name) { Description = description };

    private static Option<string[]> List(string name, string description) => new(name) { Description = description };

    private static JsonArray? ToJson(string[]? words) =>
        words is { Length: > 0 } ? new([.. words.Select(word => JsonValue.Create(word))]) : null;

    private static string Escape(ParseResult words, Argument<string> argument) => Uri.EscapeDataString(words.GetValue(argument)!);

    // The names of the options are those of the query.
    private static string WithQuery(string path, ParseResult words, params Option[] options)
    {
        var query = options.Select(option => (option.Name, Value: words.GetResult(option)?.Tokens is [var token] ? token.Value : null))
            .Where(pair => pair.Value is not null)
            .Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Name.TrimStart('-')}={Uri.EscapeDataString(pair.Value!)}"));
        return $"{path}?{string.Join('&', query)}";
    }
}
