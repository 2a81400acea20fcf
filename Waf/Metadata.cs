using Microsoft.AspNetCore;
using OpenIddict.Abstractions;
using StackExchange.Redis;
using WebRtcIms.Waf.ImsRegistration;
using WebRtcIms.Waf.Revocation;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf;

/// <summary>
/// The metadata document (RFC 8414) says what this server does; OpenIddict's own speaks of OpenID Connect, which it does not do.
/// </summary>
internal static class Metadata
{
    public static ValueTask Describe(HandleConfigurationRequestContext context)
    {
        var request = context.Transaction.GetHttpRequest()!;
        if (request.HttpContext.RequestServices.GetService<IConnectionMultiplexer>() is not null)
            context.RevocationEndpoint = new Uri(context.Issuer ?? context.BaseUri!, RevocationEndpoint.Path);
        context.Scopes.IntersectWith([TokenHandlers.Scope, RegistrationHandlers.Scope]);
        context.SubjectTypes.Clear();
        context.Claims.Clear();
        context.IdTokenSigningAlgorithms.Clear();
        context.PromptValues.Clear();
        context.Metadata["token_types_supported"] = new OpenIddictParameter(System.Text.Json.JsonSerializer.SerializeToElement<string[]>(
            context.Scopes.Contains(RegistrationHandlers.Scope) ? ["pop", "Bearer"] : ["pop"]));
        context.Metadata["mac_algorithms_supported"] = new OpenIddictParameter(
            System.Text.Json.JsonSerializer.SerializeToElement<string[]>([MacAlgorithm.Sha256, MacAlgorithm.Sha1]));
        return ValueTask.CompletedTask;
    }
}
