using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.WebUtilities;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Keys;

/// <summary>
/// A TURN server fetches the long-term key that it shares with this server (RFC 7635 §4.1.1): over TLS that ends here and nowhere before,
/// and with the certificate that the settings name for it. It is there when a TURN server has one.
/// </summary>
internal static partial class KeyEndpoint
{
    public const string Path = "/.well-known/stun-key";

    // The keys of the settings have no end. What is told is until when this answer holds: whoever cannot ask again by then has been cut off.
    private static readonly TimeSpan Validity = TimeSpan.FromDays(1);

    public static void MapKeys(this WebApplication app)
    {
        var settings = app.Services.GetRequiredService<WafSettings>();
        if (settings.TurnServers.Exists(server => server.Thumbprint is not null)) app.MapGet(Path, Answer);
    }

    private static IResult Answer(HttpContext context, WafSettings settings, TimeProvider clock, ILogger<WafSettings> logger)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!context.Request.IsHttps) return Refusal(StatusCodes.Status403Forbidden, "Keys are told over https alone.");
        var query = QueryHelpers.ParseQuery(context.Features.Get<HiddenQuery>()?.Text);
        if (query["service"] is not ["stun" or "turn"] || query["name"] is not [{ Length: > 0 } name])
            return Refusal(StatusCodes.Status400BadRequest, "Ask with service=stun and name, each once.");

        // One answer for all whom it is not for: which names there are is not told.
        var server = settings.TurnServers.Find(server => server.Name == name);
        var shown = context.Connection.ClientCertificate;
        if (server?.Thumbprint is not { } thumbprint || shown is null || !CryptographicOperations.FixedTimeEquals(thumbprint, shown.GetCertHash(HashAlgorithmName.SHA256))
            || clock.GetUtcNow() < shown.NotBefore.ToUniversalTime() || clock.GetUtcNow() > shown.NotAfter.ToUniversalTime())
        {
            LogRefused(logger, shown is null ? "none" : Convert.ToHexString(shown.GetCertHash(HashAlgorithmName.SHA256)));
            return Refusal(StatusCodes.Status403Forbidden, "The certificate is not that of the TURN server.");
        }

        LogTold(logger, server.Kid, server.Name);
        _ = AccessTokenAlgorithms.TryParse(server.Algorithm, out var algorithm);
        var key = Convert.FromBase64String(server.Key).AsSpan(0, algorithm.KeyLength());
        return Results.Json(new StunKey(Base64Url.EncodeToString(key), (clock.GetUtcNow() + Validity).ToUnixTimeSeconds(), server.Kid, algorithm.Name()));
    }

    private static IResult Refusal(int status, string detail) => Results.Problem(detail, statusCode: status);

    /// <summary>The answer, with the names of the RFC.</summary>
    private sealed record StunKey(string K, long Exp, string Kid, string Enc)
    {
        public override string ToString() => "***";
    }

    [LoggerMessage(1, LogLevel.Information, "The key {Kid} was told to the TURN server {Server}")]
    private static partial void LogTold(ILogger logger, string kid, string server);

    [LoggerMessage(2, LogLevel.Warning, "A key was asked for with a certificate that is not that of the TURN server, SHA-256 {Thumbprint}")]
    private static partial void LogRefused(ILogger logger, string thumbprint);
}
