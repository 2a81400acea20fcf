using System.Diagnostics;
using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using WebRtcIms.Waf.ImsRegistration;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Tokens;

/// <summary>
/// The token request of interface W4, as steps in OpenIddict's pipeline: OpenIddict authenticates the client and keeps the
/// protocol's discipline, these add what RFC 7635 needs.
/// </summary>
internal static class TokenHandlers
{
    public const string Scope = Contracts.Scopes.Stun;

    private const string ClientPassword = "client_password";
    private const string IssuedTokenProperty = "webrtcims.issued_token";

    public static void AddTokenHandlers(this OpenIddictServerBuilder server, WafSettings settings)
    {
        var allowGet = settings.AllowsGet;
        server.RemoveEventHandler(OpenIddictServerAspNetCoreHandlers.ExtractPostRequest<ExtractTokenRequestContext>.Descriptor);
        server.AddEventHandler<ExtractTokenRequestContext>(handler => handler
            .UseInlineHandler(context => ExtractAsync(context, allowGet))
            .AddFilter<OpenIddictServerAspNetCoreHandlerFilters.RequireHttpRequest>()
            .SetOrder(OpenIddictServerAspNetCoreHandlers.ExtractPostRequest<ExtractTokenRequestContext>.Descriptor.Order));

        // OpenIddict's own handler logs the response, with the session key in it.
        server.RemoveEventHandler(OpenIddictServerAspNetCoreHandlers.ProcessJsonResponse<ApplyTokenResponseContext>.Descriptor);
        server.AddEventHandler<ApplyTokenResponseContext>(handler => handler
            .UseInlineHandler(WriteResponseAsync)
            .AddFilter<OpenIddictServerAspNetCoreHandlerFilters.RequireHttpRequest>()
            .SetOrder(OpenIddictServerAspNetCoreHandlers.ProcessJsonResponse<ApplyTokenResponseContext>.Descriptor.Order));
        server.AddEventHandler<ValidateTokenRequestContext>(handler => handler.UseScopedHandler<ValidateTokenRequest>().SetOrder(int.MaxValue - 100_000));
        server.AddEventHandler<HandleTokenRequestContext>(handler => handler.UseInlineHandler(AcceptClient));
        server.AddEventHandler<GenerateTokenContext>(handler => handler
            .UseScopedHandler<MakeToken>()
            .SetOrder(OpenIddictServerHandlers.Protection.GenerateIdentityModelToken.Descriptor.Order - 500));
        server.AddEventHandler<ProcessSignInContext>(handler => handler
            .UseInlineHandler(AddResponseFields)
            .SetOrder(OpenIddictServerHandlers.AttachSignInParameters.Descriptor.Order + 500));
    }

    /// <summary>
    /// TS 33.203 X.5.3.2 step 4 has a GET with <c>client_id</c> and <c>client_password</c>; RFC 6749 §3.2 has a POST. Both are taken.
    /// </summary>
    private static async ValueTask ExtractAsync(ExtractTokenRequestContext context, bool allowGet)
    {
        var request = context.Transaction.GetHttpRequest()!;
        if (HttpMethods.IsGet(request.Method) && allowGet)
            Extract(context, [.. QueryHelpers.ParseQuery(request.HttpContext.Features.Get<HiddenQuery>()?.Text).Select(Rename)]);
        else if (HttpMethods.IsPost(request.Method) && request.HasFormContentType)
            Extract(context, [.. await request.ReadFormAsync(request.HttpContext.RequestAborted)]);
        else
            context.Reject(Errors.InvalidRequest, allowGet ? "Send a POST with a form, or a GET with a query." : "Send a POST with a form.");
    }

    private static KeyValuePair<string, StringValues> Rename(KeyValuePair<string, StringValues> parameter) =>
        parameter.Key == ClientPassword ? KeyValuePair.Create(Parameters.ClientSecret, parameter.Value) : parameter;

    private static void Extract(ExtractTokenRequestContext context, List<KeyValuePair<string, StringValues>> parameters)
    {
        // RFC 6749 §3.2: a parameter that comes twice makes the request invalid.
        var names = parameters.SelectMany(parameter => Enumerable.Repeat(parameter.Key, parameter.Value.Count));
        if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { Key: var twice })
            context.Reject(Errors.InvalidRequest, $"The parameter '{twice}' must be given once.");
        // OpenIddict would log this one: it does not know that it is a secret.
        else if (parameters.Exists(parameter => parameter.Key == ClientPassword))
            context.Reject(Errors.InvalidRequest, "The parameter 'client_password' is for a GET; in a POST it is 'client_secret'.");
        else
            context.Transaction.Request = new OpenIddictRequest(parameters);
    }

    private static async ValueTask WriteResponseAsync(ApplyTokenResponseContext context)
    {
        var response = context.Transaction.GetHttpRequest()!.HttpContext.Response;
        await response.WriteAsJsonAsync(context.Response);
        context.HandleRequest();
    }

    /// <summary>The client is who it says; the token is for it, not for a user.</summary>
    private static ValueTask AcceptClient(HandleTokenRequestContext context)
    {
        var identity = new ClaimsIdentity("client_credentials");
        identity.AddClaim(new Claim(Claims.Subject, context.ClientId!));
        identity.SetScopes(context.Request.GetScopes());
        context.Principal = new ClaimsPrincipal(identity);
        return ValueTask.CompletedTask;
    }

    /// <summary>The fields of RFC 7635 Appendix B; <c>key</c> is base64.</summary>
    private static ValueTask AddResponseFields(ProcessSignInContext context)
    {
        var token = context.Transaction.GetProperty<IssuedToken>(IssuedTokenProperty);
        if (token is null) return ValueTask.CompletedTask;
        context.Response.TokenType = "pop";
        context.Response.ExpiresIn = (long)token.Lifetime.TotalSeconds;
        context.Response["kid"] = token.Kid;
        context.Response["key"] = token.Key;
        context.Response["alg"] = token.Algorithm;
        context.Response.Scope = null;
        return ValueTask.CompletedTask;
    }

    /// <summary>Checks what OpenIddict does not know: audience, algorithm, timestamp.</summary>
    internal sealed class ValidateTokenRequest(
        TokenIssuer issuer, IOpenIddictApplicationManager applications, TimeProvider clock) : IOpenIddictServerHandler<ValidateTokenRequestContext>
    {
        // A request that is this old was not sent now: it is a copy, or one of the clocks is wrong.
        private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);

        private const int MaxPseudonymLength = 128;

        public async ValueTask HandleAsync(ValidateTokenRequestContext context)
        {
            var request = context.Request;
            if (request.IsRegistration()) return;
            if (!request.HasScope(Scope) || request.GetScopes().Length != 1)
            {
                context.Reject(Errors.InvalidScope, "The scope must be 'stun'.");
                return;
            }

            var audience = (string?)request["aud"];
            if (string.IsNullOrEmpty(audience))
            {
                context.Reject(Errors.InvalidRequest, "The parameter 'aud' is missing: it names the TURN server.");
                return;
            }

            if (!issuer.Knows(audience) || !await MayUseAsync(context, audience))
            {
                context.Reject(Errors.InvalidTarget, "The parameter 'aud' names no TURN server that this client may get tokens for.");
                return;
            }

            if ((string?)request["token_type"] is { } type && type != "pop") context.Reject(Errors.InvalidRequest, "The token type must be 'pop'.");
            else if ((string?)request["alg"] is { } algorithm && algorithm is not (MacAlgorithm.Sha1 or MacAlgorithm.Sha256))
                context.Reject(Errors.InvalidRequest, "The parameter 'alg' must be HMAC-SHA-256-128 or HMAC-SHA1.");
            else if (!IsRecent((string?)request["timestamp"]))
                context.Reject(Errors.InvalidRequest, "The parameter 'timestamp' must be the time now, in seconds since 1970.");
            else if (((string?)request["sid"])?.Length > MaxPseudonymLength)
                context.Reject(Errors.InvalidRequest, $"The parameter 'sid' must have {MaxPseudonymLength} characters or less.");
        }

        private async Task<bool> MayUseAsync(ValidateTokenRequestContext context, string audience)
        {
            var application = await applications.FindByClientIdAsync(context.ClientId!);
            return application is not null
                && await applications.HasPermissionAsync(application, OpenIddictConstants.Permissions.Prefixes.Audience + audience);
        }

        private bool IsRecent(string? timestamp)
        {
            if (timestamp is null) return true;
            return long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                && Math.Abs(clock.GetUtcNow().ToUnixTimeSeconds() - seconds) <= MaxAge.TotalSeconds;
        }
    }

    /// <summary>Step 5: puts our token in the place of OpenIddict's, and leaves a grant for the TURN server.</summary>
    internal sealed class MakeToken(TokenIssuer issuer, GrantStore grants, WafTelemetry telemetry) : IOpenIddictServerHandler<GenerateTokenContext>
    {
        public async ValueTask HandleAsync(GenerateTokenContext context)
        {
            if (context.TokenType != TokenTypeIdentifiers.AccessToken || context.Request is not { } request || request.IsRegistration()) return;
            var started = Stopwatch.GetTimestamp();
            using var activity = WafTelemetry.StartTokenIssue();
            var token = issuer.Issue((string)request["aud"]!, (string?)request["alg"] ?? MacAlgorithm.Sha256);
            context.Token = token.AccessToken;
            context.Transaction.SetProperty(IssuedTokenProperty, token);
            telemetry.Issued(activity, context.ClientId!, (string)request["aud"]!, token);
            await grants.WriteAsync(token, context.ClientId!, (string?)request["sid"]);

            var elapsed = Stopwatch.GetElapsedTime(started);
            telemetry.Took("turn", elapsed);
            context.Transaction.GetHttpRequest()!.HttpContext.Response.Headers["Server-Timing"] =
                string.Create(CultureInfo.InvariantCulture, $"step5;dur={elapsed.TotalMilliseconds:0.###};desc=\"token made\"");
        }
    }
}
