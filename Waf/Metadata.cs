using OpenIddict.Abstractions;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf;

/// <summary>
/// The metadata document (RFC 8414) says what this server does; OpenIddict's own speaks of OpenID Connect, which it does not do.
/// </summary>
internal static class Metadata
{
    public static ValueTask Prune(HandleConfigurationRequestContext context)
    {
        context.Scopes.Clear();
        context.Scopes.Add(TokenHandlers.Scope);
        context.SubjectTypes.Clear();
        context.Claims.Clear();
        context.IdTokenSigningAlgorithms.Clear();
        context.PromptValues.Clear();
        context.Metadata["token_types_supported"] = new OpenIddictParameter(System.Text.Json.JsonSerializer.SerializeToElement<string[]>(["pop"]));
        context.Metadata["mac_algorithms_supported"] = new OpenIddictParameter(
            System.Text.Json.JsonSerializer.SerializeToElement<string[]>([MacAlgorithm.Sha256, MacAlgorithm.Sha1]));
        return ValueTask.CompletedTask;
    }
}
