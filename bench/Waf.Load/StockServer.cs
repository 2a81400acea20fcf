using System.Buffers.Text;
using System.Globalization;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Load;

/// <summary>
/// OpenIddict as its documents configure it for client credentials: signed JWT access tokens (ES256, not encrypted), Entity Framework Core,
/// and pass-through to an endpoint of the application.
/// </summary>
internal static class StockServer
{
    /// <param name="args">Port, connection string of SQLite, and whether tokens are stored.</param>
    public static async Task<int> RunAsync(string[] args)
    {
        var (port, store, storesTokens) = (int.Parse(args[0], CultureInfo.InvariantCulture), args[1], bool.Parse(args[2]));
        var builder = WebApplication.CreateBuilder();
        builder.Services.AddDbContext<StockStore>(options => options.UseSqlite(store).UseOpenIddict());
        builder.Services.AddOpenIddict()
            .AddCore(core => core.UseEntityFrameworkCore().UseDbContext<StockStore>())
            .AddServer(server =>
            {
                server.SetTokenEndpointUris("oauth2/token")
                    .SetConfigurationEndpointUris(".well-known/oauth-authorization-server")
                    .SetIssuer(new Uri($"http://127.0.0.1:{port}/"))
                    .AllowClientCredentialsFlow()
                    .RegisterScopes("stun")
                    .AddEncryptionKey(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32)))
                    .AddEphemeralSigningKey(SecurityAlgorithms.EcdsaSha256)
                    .DisableAccessTokenEncryption();
                if (!storesTokens) server.DisableTokenStorage();
                server.UseAspNetCore().EnableTokenEndpointPassthrough().DisableTransportSecurityRequirement();
            });
        await using var app = builder.Build();
        await using (var scope = app.Services.CreateAsyncScope())
            await scope.ServiceProvider.GetRequiredService<StockStore>().Database.EnsureCreatedAsync();
        app.UseAuthentication();
        app.MapPost("/oauth2/token", IssueToken);
        app.MapPost("/oauth2/register", RegisterAsync);
        app.Urls.Add($"http://127.0.0.1:{port}");
        await app.RunAsync();
        return 0;
    }

    private static IResult IssueToken(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest()!;
        var identity = new ClaimsIdentity(TokenValidationParameters.DefaultAuthenticationType);
        identity.AddClaim(new Claim(Claims.Subject, request.ClientId!));
        identity.SetScopes(request.GetScopes());
        return Results.SignIn(new ClaimsPrincipal(identity), null, OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
    }

    private static async Task<IResult> RegisterAsync(JsonElement metadata, IOpenIddictApplicationManager applications)
    {
        var isSigning = metadata.GetProperty("token_endpoint_auth_method").GetString() == AuthenticationMethod.Key;
        var secret = isSigning ? null : Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var client = new OpenIddictApplicationDescriptor
        {
            ClientId = Guid.NewGuid().ToString("N"),
            ClientSecret = secret,
            ClientType = ClientTypes.Confidential,
            JsonWebKeySet = isSigning ? new JsonWebKeySet(metadata.GetProperty("jwks").GetRawText()) : null,
            Permissions =
            {
                Permissions.Endpoints.Token, Permissions.GrantTypes.ClientCredentials, Permissions.Prefixes.Scope + "stun",
            },
        };
        await applications.CreateAsync(client);
        return secret is null
            ? Results.Json(new { client_id = client.ClientId })
            : Results.Json(new { client_id = client.ClientId, client_secret = secret });
    }
}

internal sealed class StockStore(DbContextOptions<StockStore> options) : DbContext(options);
