using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace WebRtcIms.Tests.Common.Http;

/// <summary>
/// Requests as RFC 9110 and RFC 9112 allow or forbid them, for each endpoint of a service. An answer is the same as to the plain request,
/// or the refusal that the RFCs name; never a failure of the server.
/// </summary>
/// <param name="Server">The address of the service.</param>
/// <param name="Endpoints">Its endpoints.</param>
public sealed record HttpTolerance(Uri Server, IReadOnlyList<HttpEndpoint> Endpoints)
{
    private const int BombLength = 100_000_000;
    private static readonly string[] Methods = ["GET", "POST", "PUT", "DELETE", "PATCH"];

    // The largest limit of a body is that of FlowView, 8 MB.
    private static readonly string TooLarge = $"\"{new string('x', 9_000_000)}\"";
    private static readonly Lazy<byte[]> Bomb = new(() =>
        Pack(new byte[BombLength], stream => new GZipStream(stream, CompressionLevel.Fastest)));

    private static int _requests;

    /// <summary>Headers of each request, each with CRLF. <c>{number}</c> stands for the number of the request.</summary>
    public string Headers { get; init; } = "";

    /// <summary>The media type and the body of plain requests.</summary>
    public Func<HttpEndpoint, (string Type, string Body)> BodyOf { get; init; } = _ => ("application/json", "{}");

    /// <summary>The log of the service. A mistake of a client is not an error there.</summary>
    public LogRecorder? Logs { get; init; }

    /// <summary>Paths whose bodies may have a content coding.</summary>
    public string[] Decoding { get; init; } = [];

    /// <summary>The names of the cases, for a theory.</summary>
    public static TheoryData<string> Cases => [.. All.Keys];

    private static Dictionary<string, Func<HttpTolerance, HttpEndpoint, string, Task<string?>>> All { get; } = new()
    {
        ["absolute form of the target"] = Same(request => request with { Target = $"http://{request.Host}{request.Target}" }),
        ["absolute form with another Host"] = Same(request => request with
        {
            Target = $"http://{request.Host}{request.Target}",
            Host = "other.example.net",
        }),
        ["empty line before the request"] = Same(request => request with { Before = "\r\n" }),
        ["names of headers in upper case"] = Same(request => request with { IsUpperCase = true }),
        ["media type in upper case"] = SameWithBody(request => request with { Type = request.Type!.ToUpperInvariant() }),
        ["media type with a charset"] = SameWithBody(request => request with { Type = $"{request.Type};charset=utf-8" }),
        ["media type with a quoted charset"] = SameWithBody(request => request with { Type = $"{request.Type} ; charset=\"UTF-8\"" }),
        ["media type with another parameter"] = SameWithBody(request => request with { Type = $"{request.Type}; profile=x" }),
        ["chunked body"] = SameWithBody(request => request with { IsChunked = true }),
        ["chunked body with extensions and trailers"] = SameWithBody(request => request with
        {
            IsChunked = true,
            ChunkExtension = ";name=\"value\"",
            Trailers = "X-Trailer: 1\r\nAuthorization: Bearer trailer\r\n",
        }),
        ["Expect: 100-continue"] = SameWithBody(request => request.With("Expect: 100-continue")),
        ["Expect in upper case"] = SameWithBody(request => request.With("Expect: 100-Continue")),
        ["coding identity"] = SameWithBody(request => request.With("Content-Encoding: identity")),
        ["empty coding"] = SameWithBody(request => request.With("Content-Encoding:")),
        ["Accept with q-values"] = Same(request => request.With("Accept: text/html;q=0.1, application/json;q=0.9, */*;q=0")),
        ["Accept of nothing that there is"] = Same(request => request.With("Accept: image/png")),
        ["Accept that is empty"] = Same(request => request.With("Accept:")),
        ["Accept that cannot be read"] = Same(request => request.With("Accept: ;;q=,/,;q=2;q=x,\"")),
        ["Accept, repeated"] = Same(request => request.With("Accept: text/html", "Accept: */*")),
        ["other Accept headers that cannot be read"] = Same(request => request.With(
            "Accept-Encoding: ;q=, br;q=x", "Accept-Language: ---,;q=9", "Accept-Charset: x;q=")),
        ["preconditions that cannot be read"] = Same(request => request.With(
            "If-None-Match: x, W/, \"", "If-Match: ,", "If-Modified-Since: yesterday", "If-Unmodified-Since: 0", "If-Range: x",
            "Range: bytes=z")),
        ["traces that cannot be read"] = Same(request => request.With(
            "traceparent: 00-zz-zz-zz", "tracestate: =,=", "baggage: =;=,%zz", "Request-Id: |", "Correlation-Context: =")),
        ["claims of proxies that cannot be read"] = Same(request => request.With(
            "Forwarded: for=;;host=", "X-Forwarded-For: [::, unknown, 1.2.3.4:99999", "X-Forwarded-Proto: ://, h ttp",
            "X-Forwarded-Host: xn--99999999.example, [::, a:b", "X-Forwarded-Prefix: %zz")),
        ["many headers"] = Same(request => request.With([.. Enumerable.Range(0, 80).Select(i => $"X-Header-{i}: {i}")])),
        ["cookies that cannot be read"] = Any(request => request.With("Cookie: =; ;;a; b=%zz; c=\"; d=\u00e9", "Cookie: e=1")),
        ["credentials that cannot be read"] = Any(request => request with
        {
            Credentials = "Authorization: Basic !!!\r\nX-XSRF-TOKEN: \u00e9%zz\r\nx-otlp-api-key: \u00e9\r\n",
        }),
        ["credentials without a value"] = Any(request => request with
        {
            Credentials = "Authorization:\r\nX-XSRF-TOKEN:\r\nx-otlp-api-key:\r\nCookie:\r\n",
        }),
        ["credentials of the scheme only"] = Any(request => request with { Credentials = "Authorization: Bearer\r\n" }),
        ["credentials that are not UTF-8"] = Any(request => request with { Credentials = "Authorization: Basic //79/A==\r\n" }),
        ["credentials, repeated"] = Any(request => request with
        {
            Credentials = "Authorization: Bearer a\r\nAuthorization: Basic Yjpj\r\n",
        }),
        ["Origin that cannot be read"] = Any(request => request.With("Origin: ://", "Origin: null")),
        ["query that cannot be read"] = Any(request => request with
        {
            Target = $"{request.Target}?%zz&=&a=%00&limit=x&from=-&%ff=%ff&a&a",
        }),
        ["path with an escape that cannot be read"] = Any(request => request with { Target = $"{request.Target}/%zz%ff%00" }),
        ["target of 9 kB"] = Refused([414], request => request with { Target = $"{request.Target}?{new string('x', 9_000)}" }),
        ["headers of 40 kB"] = Refused([431], request => request.With([.. Enumerable.Repeat($"X-Header: {new string('x', 8_000)}", 5)])),
        ["header with a space in its name"] = Refused([400], request => request.With("X Header: 1")),
        ["header with a NUL"] = Refused([400], request => request.With("X-Header: \0")),
        ["folded header"] = Refused([400], request => request.With("X-Header: a", " b")),
        ["no Host"] = Refused([400], request => request with { Host = null }),
        ["two Hosts"] = Refused([400], request => request.With($"Host: {request.Host}")),
        ["Host of nobody"] = Refused([400, 404], request => request with { Host = "xn--99999999.example" }, isProbeExempt: true),
        ["HTTP/1.0"] = Any(request => request with { Version = "HTTP/1.0" }),
        ["HTTP/2.0 in words"] = Refused([400, 505], request => request with { Version = "HTTP/2.0" }),
        ["lengths that differ"] = Refused([400], request => request.With("Content-Length: 1", "Content-Length: 2"), needsBody: true),
        ["length that is not a number"] = Refused(
            [400], request => (request with { HasLength = false }).With("Content-Length: 2x"), needsBody: true),
        ["length and chunked"] = Any(request => (request with { IsChunked = true }).With("Content-Length: 1"), needsBody: true),
        ["unknown transfer coding"] = Refused(
            [400, 501], request => (request with { HasLength = false }).With("Transfer-Encoding: gzip"), needsBody: true),
        ["chunk that cannot be read"] = Refused(
            [400], request => request with { IsChunked = true, ChunkExtension = "zz" }, needsBody: true, isRefusedBefore: true),
        ["no media type"] = Media(request => request with { Type = null }),
        ["empty media type"] = Media(request => request with { Type = "" }),
        ["media type that cannot be read"] = Media(request => request with { Type = "/;=," }),
        ["other media type"] = Media(request => request with { Type = "text/plain" }),
        ["media type, repeated"] = Media(request => request.With("Content-Type: text/plain")),
        ["form of several parts"] = Media(request => request with { Type = "multipart/form-data; boundary=x" }),
        ["form of several parts without a boundary"] = Media(request => request with { Type = "multipart/form-data" }),
        ["unknown charset"] = Media(request => request with { Type = $"{request.Type}; charset=x-unknown" }),
        ["empty charset"] = Any(request => request with { Type = $"{request.Type}; charset=" }, needsBody: true),
        ["charset UTF-7"] = Media(request => request with { Type = $"{request.Type}; charset=utf-7" }),
        ["charset UTF-16 of a body in UTF-8"] = Any(request => request with { Type = $"{request.Type}; charset=utf-16" }, needsBody: true),
        ["empty body"] = Any(request => request with { Body = "" }, needsBody: true),
        ["body that is null"] = Any(request => request with { Body = "null" }, needsBody: true),
        ["body that is not UTF-8"] = Any(request => request with { Body = "\u00ff\u00fe{}" }, needsBody: true),
        ["body with a byte order mark"] = Any(request => request with { Body = "\u00ef\u00bb\u00bf{}" }, needsBody: true),
        ["body of deep JSON"] = Any(request => request with { Body = new string('[', 5_000) }, needsBody: true),
        ["body of other JSON"] = Any(request => request with
        {
            Body = """{"a":1,"a":[],"user_name":{},"sid":[],"all":"x"}""",
        }, needsBody: true),
        ["body that ends early"] = Any(request => request with { Length = 10 }, needsBody: true, ends: true),
        ["body that is too large"] = Refused(
            [413], request => request with { Body = TooLarge }, needsBody: true, isRefusedBefore: true),
        ["chunked body that is too large"] = Refused(
            [413], request => request with { Body = TooLarge, IsChunked = true }, needsBody: true, isRefusedBefore: true),
        ["coding gzip"] = Coded("gzip", body => Pack(body, stream => new GZipStream(stream, CompressionLevel.Fastest))),
        ["coding gzip in upper case"] = Coded("GZIP", body => Pack(body, stream => new GZipStream(stream, CompressionLevel.Fastest))),
        ["coding x-gzip"] = Coded("x-gzip", body => Pack(body, stream => new GZipStream(stream, CompressionLevel.Fastest))),
        ["coding deflate"] = Coded("deflate", body => Pack(body, stream => new ZLibStream(stream, CompressionLevel.Fastest))),
        ["coding br"] = Coded("br", body => Pack(body, stream => new BrotliStream(stream, CompressionLevel.Fastest))),
        ["codings identity and gzip"] = Coded(
            "identity, gzip", body => Pack(body, stream => new GZipStream(stream, CompressionLevel.Fastest))),
        ["coding zstd"] = Undecodable("zstd", _ => [0x28, 0xb5, 0x2f, 0xfd, 0], 415),
        ["coding that nobody knows"] = Undecodable("x-unknown", body => body, 415),
        ["codings gzip and gzip"] = Undecodable("gzip, gzip", body => body, 415),
        ["coding gzip of other octets"] = Undecodable("gzip", body => body, 400),
        ["coding br of other octets"] = Undecodable("br", _ => [0xff, 0xff, 0xff], 400),
        ["coding gzip that unpacks to 100 MB"] = Undecodable("gzip", _ => Bomb.Value, 413),
        ["HEAD"] = HeadAsync,
        ["OPTIONS"] = OptionsAsync,
        ["OPTIONS of the server"] = Any(request => request with { Method = "OPTIONS", Target = "*", Body = null }),
        ["TRACE"] = Refused([405], request => request with { Method = "TRACE", Body = null }, isAnyMethodExempt: true),
        ["CONNECT"] = Any(request => request with { Method = "CONNECT", Target = $"{request.Host}:80", Body = null }),
        ["method that there is not"] = OtherMethodsAsync,
    };

    /// <summary>Sends a case to each endpoint, and expects nothing wrong in the answers.</summary>
    public async Task CheckAsync(string name)
    {
        Assert.NotEmpty(Endpoints);
        var logged = Logs?.Records.Count ?? 0;
        List<string> failures = [];
        foreach (var endpoint in Endpoints)
        {
            foreach (var method in endpoint.TriedMethods)
            {
                if (await All[name](this, endpoint, method) is { } failure) failures.Add($"{method} {endpoint.Path}: {failure}");
            }
        }

        failures.AddRange(Logs?.Records.Skip(logged).Where(record => record.StartsWith("Error", StringComparison.Ordinal)) ?? []);
        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    private static Func<HttpTolerance, HttpEndpoint, string, Task<string?>> Same(Func<Request, Request> change, bool needsBody = false) =>
        async (test, endpoint, method) =>
        {
            if (needsBody && !HttpEndpoint.HasBody(method)) return null;
            var plain = await test.SendAsync(test.Plain(endpoint, method));
            var answer = await test.SendAsync(change(test.Plain(endpoint, method)));
            return answer.Status == plain.Status || (answer.Status == 304 && plain.Status == 200)
                ? Failure(plain) : $"{answer.Status} instead of {plain.Status}: {answer.Body}";
        };

    private static Func<HttpTolerance, HttpEndpoint, string, Task<string?>> SameWithBody(Func<Request, Request> change) =>
        Same(change, needsBody: true);

    private static Func<HttpTolerance, HttpEndpoint, string, Task<string?>> Any(
        Func<Request, Request> change, bool needsBody = false, bool ends = false) => async (test, endpoint, method) =>
    {
        if (needsBody && !HttpEndpoint.HasBody(method)) return null;
        var answer = await test.SendAsync(change(test.Plain(endpoint, method)), ends);
        return Failure(answer, isCloseAllowed: ends);
    };

    /// <param name="statuses">The statuses of the refusal.</param>
    /// <param name="change">What is wrong with the request.</param>
    /// <param name="needsBody">Whether only requests with a body are meant.</param>
    /// <param name="isRefusedBefore">Whether another refusal may come first, since the body is not read.</param>
    /// <param name="isProbeExempt">Whether probes answer.</param>
    /// <param name="isAnyMethodExempt">Whether endpoints without a list of methods answer.</param>
    private static Func<HttpTolerance, HttpEndpoint, string, Task<string?>> Refused(
        int[] statuses, Func<Request, Request> change, bool needsBody = false, bool isRefusedBefore = false, bool isProbeExempt = false,
        bool isAnyMethodExempt = false) => async (test, endpoint, method) =>
    {
        if (needsBody && !HttpEndpoint.HasBody(method)) return null;
        if (isProbeExempt && endpoint.Path is "/health" or "/alive" or "/ready") return null;
        if (isAnyMethodExempt && endpoint.Methods.Count == 0) return null;
        var answer = await test.SendAsync(change(test.Plain(endpoint, method)));
        if (statuses.Contains(answer.Status)) return null;
        if (isRefusedBefore && (!endpoint.ReadsJson || answer.Status == 401) && answer.Status < 500) return Failure(answer);
        return $"{answer.Status} instead of {string.Join(" or ", statuses)}: {answer.Body}";
    };

    private static Func<HttpTolerance, HttpEndpoint, string, Task<string?>> Media(Func<Request, Request> change) =>
        async (test, endpoint, method) =>
        {
            if (!HttpEndpoint.HasBody(method)) return null;
            var answer = await test.SendAsync(change(test.Plain(endpoint, method)));
            return endpoint.ReadsJson && answer.Status is not (415 or 400 or 401) ? $"{answer.Status} instead of 415"
                // RFC 9110 §12.5.3: only because of a coding.
                : answer.Has("Accept-Encoding") ? "Accept-Encoding" : Failure(answer);
        };

    private static Func<HttpTolerance, HttpEndpoint, string, Task<string?>> Coded(string coding, Func<byte[], byte[]> pack) =>
        async (test, endpoint, method) =>
        {
            if (!HttpEndpoint.HasBody(method)) return null;
            var plain = test.Plain(endpoint, method);
            var expected = test.Decoding.Contains(endpoint.Path) ? (await test.SendAsync(plain)).Status : 415;
            var answer = await test.SendAsync(plain.Packed(coding, pack));
            return answer.Status == expected ? Unsupported(answer) : $"{answer.Status} instead of {expected}: {answer.Body}";
        };

    private static Func<HttpTolerance, HttpEndpoint, string, Task<string?>> Undecodable(
        string coding, Func<byte[], byte[]> pack, int status) => async (test, endpoint, method) =>
    {
        if (!HttpEndpoint.HasBody(method)) return null;
        var expected = test.Decoding.Contains(endpoint.Path) ? status : 415;
        var plain = test.Plain(endpoint, method);
        var answer = await test.SendAsync(plain.Packed(coding, pack));
        return answer.Status == expected ? Unsupported(answer) : $"{answer.Status} instead of {expected}: {answer.Body}";
    };

    private static async Task<string?> HeadAsync(HttpTolerance test, HttpEndpoint endpoint, string method)
    {
        if (method != "GET") return null;
        var plain = await test.SendAsync(test.Plain(endpoint, method));
        var answer = await test.SendAsync(test.Plain(endpoint, "HEAD"));
        return answer.Status != plain.Status ? $"{answer.Status} instead of {plain.Status}"
            : answer.Body.Length > 0 ? $"a body: {answer.Body}"
            : answer.Headers.GetValueOrDefault("Content-Type") != plain.Headers.GetValueOrDefault("Content-Type") ? "another media type"
            : null;
    }

    private static async Task<string?> OptionsAsync(HttpTolerance test, HttpEndpoint endpoint, string method)
    {
        var answer = await test.SendAsync(test.Plain(endpoint, "OPTIONS"));
        return answer.Status == 405 ? Allow(endpoint, answer) : Failure(answer);
    }

    private static async Task<string?> OtherMethodsAsync(HttpTolerance test, HttpEndpoint endpoint, string method)
    {
        foreach (var other in Methods.Append("BREW").Except(endpoint.Methods))
        {
            var answer = await test.SendAsync(test.Plain(endpoint, other));
            // A route with a parameter may also have this path, and ask for a session first.
            if (endpoint.Methods.Count == 0 || answer.Status == 401)
            {
                if (Failure(answer) is { } failure) return $"{other}: {failure}";
            }
            else if (answer.Status != 405)
            {
                return $"{other}: {answer.Status} instead of 405: {answer.Body}";
            }
            else if (Allow(endpoint, answer) is { } failure)
            {
                return $"{other}: {failure}";
            }
        }

        return null;
    }

    private static string? Allow(HttpEndpoint endpoint, HttpAnswer answer)
    {
        var allowed = (answer.Headers.GetValueOrDefault("Allow") ?? "").Split(',', StringSplitOptions.TrimEntries);
        return endpoint.Methods.All(allowed.Contains) ? null : $"Allow: {string.Join(", ", allowed)}";
    }

    // RFC 9110 §12.5.3: a 415 because of the coding names those that there are.
    private static string? Unsupported(HttpAnswer answer) =>
        answer.Status == 415 && !answer.Has("Accept-Encoding") ? "415 without Accept-Encoding" : Failure(answer);

    private static string? Failure(HttpAnswer answer, bool isCloseAllowed = false) =>
        answer.Status == 0 ? isCloseAllowed ? null : "no answer"
        : answer.Status is 500 or 502 or 504 ? $"{answer.Status}: {answer.Body}"
        : answer.Status == 426 && !answer.Has("Upgrade") ? "426 without Upgrade"
        : answer.Body.Contains("   at ", StringComparison.Ordinal) ? $"a stack trace: {answer.Body}"
        : ProblemDetails.Fault(answer) is { } fault ? $"{fault}: {answer.Body}"
        : null;

    private static byte[] Pack(byte[] octets, Func<Stream, Stream> open)
    {
        using var packed = new MemoryStream();
        using (var stream = open(packed)) stream.Write(octets);
        return packed.ToArray();
    }

    private Request Plain(HttpEndpoint endpoint, string method)
    {
        var (type, body) = HttpEndpoint.HasBody(method) ? BodyOf(endpoint) : (null, null);
        // Requests of one address would meet the limits of each address.
        var number = Interlocked.Increment(ref _requests);
        var headers = Headers.Replace("{number}", number.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        return new(method, endpoint.Path, Server.Authority, type, body, headers)
        {
            Others = $"X-Forwarded-For: 198.18.{number / 256}.{number % 256}\r\n",
        };
    }

    private async Task<HttpAnswer> SendAsync(Request request, bool ends = false) =>
        await HttpAnswer.ToAsync(Server, request.ToOctets(), ends);

    /// <summary>A request before it is written. Texts are Latin-1: one character for each octet.</summary>
    private sealed record Request(string Method, string Target, string? Host, string? Type, string? Body, string Credentials)
    {
        public string Before { get; init; } = "";

        public string Version { get; init; } = "HTTP/1.1";

        public string Others { get; init; } = "";

        public bool IsUpperCase { get; init; }

        public bool HasLength { get; init; } = true;

        public int? Length { get; init; }

        public bool IsChunked { get; init; }

        public string ChunkExtension { get; init; } = "";

        public string Trailers { get; init; } = "";

        public Request With(params string[] headers) =>
            this with { Others = Others + string.Concat(headers.Select(header => $"{header}\r\n")) };

        public Request Packed(string coding, Func<byte[], byte[]> pack) =>
            With($"Content-Encoding: {coding}") with { Body = Encoding.Latin1.GetString(pack(Encoding.Latin1.GetBytes(Body!))) };

        public byte[] ToOctets()
        {
            var headers = new StringBuilder();
            if (Host is not null) headers.Append(CultureInfo.InvariantCulture, $"Host: {Host}\r\n");
            headers.Append("Connection: close\r\n").Append(Credentials);
            if (Type is not null) headers.Append(CultureInfo.InvariantCulture, $"Content-Type: {Type}\r\n");
            headers.Append(Others);
            if (Body is not null && IsChunked) headers.Append("Transfer-Encoding: chunked\r\n");
            else if (Body is not null && HasLength)
                headers.Append(CultureInfo.InvariantCulture, $"Content-Length: {Length ?? Body.Length}\r\n");
            var fields = IsUpperCase
                ? string.Join("\r\n", headers.ToString().Split("\r\n").Select(line =>
                    line.Split(':', 2) is [var name, var value] ? $"{name.ToUpperInvariant()}:{value}" : line))
                : headers.ToString();
            return Encoding.Latin1.GetBytes($"{Before}{Method} {Target} {Version}\r\n{fields}\r\n{WrittenBody()}");
        }

        private string WrittenBody() => Body is null ? ""
            : !IsChunked ? Body
            : (Body.Length > 0 ? $"{Body.Length:x}{ChunkExtension}\r\n{Body}\r\n" : "") + $"0\r\n{Trailers}\r\n";
    }
}
