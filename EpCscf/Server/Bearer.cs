namespace WebRtcIms.EpCscf.Server;

/// <summary>The Bearer token of an HTTP request (RFC 6750 §2.1).</summary>
internal static class Bearer
{
    public const string Scheme = "Bearer";

    public static string? Of(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme + " ", StringComparison.OrdinalIgnoreCase) ? header[(Scheme.Length + 1)..].Trim() : null;
    }
}
