using System.IO.Compression;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.FlowView.Receiving;

/// <summary>A request's body, unpacked, or the HTTP status of the failure.</summary>
internal readonly record struct RequestBody(byte[] Octets, int Status, string Problem)
{
    private static readonly Dictionary<string, Func<Stream, Stream>> Codings = new()
    {
        ["gzip"] = body => new GZipStream(body, CompressionMode.Decompress),
        ["x-gzip"] = body => new GZipStream(body, CompressionMode.Decompress),
        ["deflate"] = body => new ZLibStream(body, CompressionMode.Decompress),
        ["br"] = body => new BrotliStream(body, CompressionMode.Decompress),
    };

    /// <summary>
    /// Reads up to <paramref name="limit"/> octets, as sent and as unpacked. So a small request that unpacks to a huge one is refused
    /// also.
    /// </summary>
    public static async Task<RequestBody> ReadAsync(HttpRequest request, int limit)
    {
        if (request.ContentLength > limit) return TooLarge(limit);

        var codings = BodyFormat.CodingsOf(request);
        if (codings.Count > 1 || codings.Any(coding => !Codings.ContainsKey(coding)))
        {
            request.HttpContext.Response.Headers.AcceptEncoding = string.Join(", ", Codings.Keys);
            return new RequestBody([], StatusCodes.Status415UnsupportedMediaType, "Content-Encoding must be one of those in Accept-Encoding.");
        }

        try
        {
            await using var unpacked = codings is [var coding] ? Codings[coding](request.Body) : request.Body;
            using var octets = new MemoryStream((int)(request.ContentLength ?? 0));
            var buffer = new byte[16 * 1024];
            for (int read; (read = await unpacked.ReadAsync(buffer, request.HttpContext.RequestAborted)) > 0;)
            {
                if (octets.Length + read > limit) return TooLarge(limit);
                octets.Write(buffer, 0, read);
            }
            return new RequestBody(octets.ToArray(), StatusCodes.Status200OK, "");
        }
        catch (Exception error) when (error is InvalidDataException or InvalidOperationException && codings.Count > 0)
        {
            return new RequestBody([], StatusCodes.Status400BadRequest, $"The body is not {codings[0]}.");
        }
        catch (BadHttpRequestException error)
        {
            return error.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? TooLarge(limit) : new RequestBody([], error.StatusCode, error.Message);
        }
    }

    private static RequestBody TooLarge(int limit) =>
        new([], StatusCodes.Status413PayloadTooLarge, $"The request is larger than {limit / (1024 * 1024)} MB; send smaller batches.");
}
