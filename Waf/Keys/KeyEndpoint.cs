using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.WebUtilities;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.OAuth;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Keys;

/// <summary>
/// A TURN server fetches the long-term key that it shares with this server (RFC 7635 §4.1.1). TLS must end in this process, and the
/// settings name the TURN server's certificate. The endpoint exists where a TURN server has one.
/// </summary>
internal static partial class KeyEndpoint
{
    public const string Path = "/.well-known/stun-key";

    // The keys of the settings do not expire. A response is valid for this time: a server that cannot fetch again by then is cut off.
    private static readonly TimeSpan Validity = TimeSpan.FromDays(1);

    public static void MapKeys(this WebApplication app)
    {
        var servers = app.Services.GetRequiredService<IReadOnlyList<TurnServerSettings>>();
        if (servers.Any(server => server.Thumbprint is not null)) app.MapGet(Path, Send);
    }

    private static IResult Send(
        HttpContext context, IReadOnlyList<TurnServerSettings> servers, TimeProvider time, ILogger<TurnServerSettings> logger)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!context.Request.IsHttps) return Refusal(StatusCodes.Status403Forbidden, "Keys are only sent over https.");
        var query = QueryHelpers.ParseQuery(context.Features.Get<HiddenQuery>()?.Text);
        if (query["service"] is not ["stun" or "turn"] || query["name"] is not [{ Length: > 0 } name])
            return Refusal(StatusCodes.Status400BadRequest, "Ask with service=stun and name, each once.");

        // One response for every other caller: it must not show which names there are.
        var server = servers.FirstOrDefault(server => server.Name == name);
        var certificate = context.Connection.ClientCertificate;
        var shown = certificate?.GetCertHash(HashAlgorithmName.SHA256);
        if (server?.Thumbprint is not { } thumbprint || shown is null || !CryptographicOperations.FixedTimeEquals(thumbprint, shown)
            || time.GetUtcNow() < certificate!.NotBefore.ToUniversalTime() || time.GetUtcNow() > certificate.NotAfter.ToUniversalTime())
        {
            LogRefused(logger, shown is null ? "none" : Convert.ToHexString(shown));
            return Refusal(StatusCodes.Status403Forbidden, "The certificate is not that of the TURN server.");
        }

        LogSent(logger, server.Kid, server.Name);
        _ = AccessTokenAlgorithms.TryParse(server.Algorithm, out var algorithm);
        var key = Convert.FromBase64String(server.Key).AsSpan(0, algorithm.KeyLength());
        var end = (time.GetUtcNow() + Validity).ToUnixTimeSeconds();
        return Results.Json(new StunKey(Base64Url.EncodeToString(key), end, server.Kid, algorithm.Name()));
    }

    private static IResult Refusal(int status, string detail) => Results.Problem(detail, statusCode: status);

    /// <summary>The response, with the names of the RFC.</summary>
    private sealed record StunKey(string K, long Exp, string Kid, string Enc)
    {
        public override string ToString() => "***";
    }

    [LoggerMessage(1, LogLevel.Information, "The key {Kid} was sent to the TURN server {Server}")]
    private static partial void LogSent(ILogger logger, string kid, string server);

    [LoggerMessage(2, LogLevel.Warning, "A key was requested with a certificate that is not that of the TURN server, SHA-256 {Thumbprint}")]
    private static partial void LogRefused(ILogger logger, string thumbprint);
}
