using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using WebRtcIms.Tests.Common;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>A real OpenID Connect provider (OpenIddict) on a loopback port, with one client and one user, who is logged in.</summary>
public sealed class OpenIdProvider : IAsyncDisposable
{
    public const string ClientId = "wwsf-at-provider";
    public const string ClientSecret = "secret-at-the-provider";

    private WebApplication? _app;

    public string Address => _app!.Urls.Single();

    /// <summary>The claims of the user.</summary>
    public Dictionary<string, string> User { get; } = new()
    {
        [Claims.Subject] = "248289761001",
        [Claims.PreferredUsername] = "carol",
        [Claims.Name] = "Carol C.",
    };

    /// <summary>The user does not consent.</summary>
    public bool IsDenied { get; set; }

    /// <summary>Replaces the issuer in its ID tokens.</summary>
    public string? Issuer { get; set; }

    public static async Task<OpenIdProvider> StartAsync()
    {
        var provider = new OpenIdProvider();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ShareActivitySource();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddOpenIddict().AddServer(provider.Configure);
        provider._app = builder.Build();
        provider._app.UseAuthentication();
        await provider._app.StartAsync(TestContext.Current.CancellationToken);
        return provider;
    }

    public Task StopAsync() => _app!.StopAsync(TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => _app!.DisposeAsync();

    private void Configure(OpenIddictServerBuilder server)
    {
        server.SetAuthorizationEndpointUris("authorize").SetTokenEndpointUris("token").SetUserInfoEndpointUris("userinfo");
        server.AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange();
        server.RegisterScopes(Scopes.Profile);
        server.EnableDegradedMode();
        // Its own ephemeral keys are of RSA with 4096 bits: making two of them takes longer than the WWSF waits.
        server.AddEncryptionKey(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32)));
        server.AddSigningKey(new ECDsaSecurityKey(ECDsa.Create(ECCurve.NamedCurves.nistP256)));
        server.UseAspNetCore().DisableTransportSecurityRequirement();
        Handle<ValidateAuthorizationRequestContext>(server, context =>
        {
            if (context.ClientId != ClientId) context.Reject(Errors.InvalidClient);
        });
        Handle<ValidateTokenRequestContext>(server, context =>
        {
            if (context.ClientId != ClientId || context.ClientSecret != ClientSecret) context.Reject(Errors.InvalidClient);
        });
        Handle<HandleAuthorizationRequestContext>(server, context =>
        {
            if (IsDenied)
            {
                context.Reject(Errors.AccessDenied, "The user does not want to.");
                return;
            }

            var identity = new ClaimsIdentity("test");
            identity.SetClaim(Claims.Subject, User[Claims.Subject]);
            identity.SetScopes(context.Request.GetScopes());
            context.SignIn(new ClaimsPrincipal(identity));
        });
        Handle<HandleUserInfoRequestContext>(server, context =>
        {
            foreach (var (name, value) in User.Where(claim => claim.Key != Claims.Subject)) context.Claims[name] = value;
        });
        server.AddEventHandler<GenerateTokenContext>(handler => handler
            .UseInlineHandler(context =>
            {
                if (Issuer is not null) context.SecurityTokenDescriptor.Issuer = Issuer;
                return default;
            })
            .SetOrder(OpenIddictServerHandlers.Protection.GenerateIdentityModelToken.Descriptor.Order - 1));
    }

    private static void Handle<TContext>(OpenIddictServerBuilder server, Action<TContext> handle)
        where TContext : BaseContext =>
        server.AddEventHandler<TContext>(handler => handler.UseInlineHandler(context =>
        {
            handle(context);
            return default;
        }));
}
