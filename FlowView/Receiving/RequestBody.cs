using System.IO.Compression;

namespace WebRtcIms.FlowView.Receiving;

/// <summary>A request's body, unpacked, or the HTTP status of the failure.</summary>
internal readonly record struct RequestBody(byte[] Octets, int Status, string Problem)
{
    /// <summary>
    /// Reads up to <paramref name="limit"/> octets, as sent and as unpacked. So a small request that unpacks to a huge one is refused
    /// also.
    /// </summary>
    public static async Task<RequestBody> ReadAsync(HttpRequest request, int limit)
    {
        if (request.ContentLength > limit) return TooLarge(limit);

        var encoding = request.Headers.ContentEncoding.ToString();
        if (encoding is not ("" or "identity" or "gzip"))
            return new RequestBody([], StatusCodes.Status415UnsupportedMediaType,
                $"Content-Encoding '{encoding}' is not supported; gzip is.");

        try
        {
            await using var unpacked = encoding == "gzip" ? new GZipStream(request.Body, CompressionMode.Decompress) : request.Body;
            using var octets = new MemoryStream((int)(request.ContentLength ?? 0));
            var buffer = new byte[16 * 1024];
            for (int read; (read = await unpacked.ReadAsync(buffer, request.HttpContext.RequestAborted)) > 0;)
            {
                if (octets.Length + read > limit) return TooLarge(limit);
                octets.Write(buffer, 0, read);
            }
            return new RequestBody(octets.ToArray(), StatusCodes.Status200OK, "");
        }
        catch (InvalidDataException)
        {
            return new RequestBody([], StatusCodes.Status400BadRequest, "The body is not gzip.");
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
