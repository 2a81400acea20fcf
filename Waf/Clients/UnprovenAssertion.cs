using Microsoft.IdentityModel.JsonWebTokens;
using OpenIddict.Server;

namespace WebRtcIms.Waf.Clients;

/// <summary>The assertion of a request before its signature is checked. Its claims only select limits and keys.</summary>
internal static class UnprovenAssertion
{
    private static readonly JsonWebTokenHandler Handler = new();

    /// <summary>The client that a request claims to come from, by <c>client_id</c> or by its assertion; null when it names none.</summary>
    public static string? ClientOf(OpenIddictServerTransaction transaction) =>
        transaction.Request?.ClientId is { Length: > 0 } clientId ? clientId : Read(transaction.Request?.ClientAssertion)?.Issuer;

    /// <summary>Null when the text is not a signed JWT.</summary>
    public static JsonWebToken? Read(string? assertion)
    {
        if (assertion is null || !Handler.CanReadToken(assertion)) return null;
        try
        {
            return Handler.ReadJsonWebToken(assertion);
        }
        catch (ArgumentException)
        {
            // Its parts are not JSON.
            return null;
        }
    }
}
