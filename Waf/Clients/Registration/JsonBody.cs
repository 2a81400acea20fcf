using System.Text.Json;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>Reads a request body of bounded length, which must be a JSON object.</summary>
internal static class JsonBody
{
    public const int MaxLength = 64 * 1024;

    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <summary>The object; or the status of the response, and the problem.</summary>
    public static async Task<(JsonElement? Body, int Status, string Problem)> ReadAsync(HttpRequest request)
    {
        if (!request.HasJsonContentType())
            return (null, StatusCodes.Status415UnsupportedMediaType, "The content type must be application/json.");
        var octets = new byte[MaxLength + 1];
        var length = request.ContentLength > MaxLength
            ? octets.Length
            : await request.Body.ReadAtLeastAsync(octets, octets.Length, throwOnEndOfStream: false, request.HttpContext.RequestAborted);
        if (length > MaxLength)
            return (null, StatusCodes.Status413PayloadTooLarge, $"The request may have {MaxLength} octets.");
        try
        {
            var body = JsonElement.Parse(octets.AsSpan(0, length), Options);
            if (body.ValueKind == JsonValueKind.Object) return (body, StatusCodes.Status200OK, "");
        }
        catch (JsonException)
        {
            // The response is that for another kind of value.
        }

        return (null, StatusCodes.Status400BadRequest, "The request must be a JSON object, with each field once.");
    }
}
