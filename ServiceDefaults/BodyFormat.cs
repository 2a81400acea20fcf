using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Answers 415 to a body in a content coding or a charset that the service does not read (RFC 9110 §8.4, §15.5.16). Without it, JSON
/// readers take a packed body for broken JSON, and fail for an unknown charset.
/// </summary>
public static class BodyFormat
{
    private const string Identity = "identity";

    /// <summary>Metadata of endpoints that decode content codings themselves.</summary>
    public sealed class Decoded;

    /// <summary>The content codings of a body in the order in which they were applied. An empty list is a plain body.</summary>
    public static IReadOnlyList<string> CodingsOf(HttpRequest request) =>
    [
        .. from text in request.Headers.ContentEncoding.ToString().Split(',', StringSplitOptions.TrimEntries)
           where text.Length > 0 && !text.Equals(Identity, StringComparison.OrdinalIgnoreCase)
           select text.ToLowerInvariant(),
    ];

    internal static void CheckIn(WebApplication app) => app.Use((context, next) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody is not false && Refuse(context) is { } problem
            ? Results.Problem(problem, statusCode: StatusCodes.Status415UnsupportedMediaType).ExecuteAsync(context)
            : next(context));

    private static string? Refuse(HttpContext context)
    {
        if (!TryReadCharset(context.Request)) return "The charset of the body is not known; send UTF-8.";
        if (CodingsOf(context.Request).Count == 0 || context.GetEndpoint()?.Metadata.GetMetadata<Decoded>() is not null) return null;
        context.Response.Headers.AcceptEncoding = Identity;
        return "The body must not have a content coding.";
    }

    // JSON readers fail for a charset that is in quotes or empty. UTF-7 is known, but refused.
    private static bool TryReadCharset(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.Charset.HasValue) return true;
        var charset = HeaderUtilities.RemoveQuotes(type.Charset);
        try
        {
            if (charset.Length > 0) _ = Encoding.GetEncoding(charset.ToString());
            if (charset.Length > 0 && charset == type.Charset) return true;
            type.Charset = charset.Length == 0 ? null : charset;
            request.ContentType = type.ToString();
            return true;
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }
}
