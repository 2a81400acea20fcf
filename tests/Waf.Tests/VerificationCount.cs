using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;
using WebRtcIms.Waf.Clients;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Tests;

/// <summary>Counts how often the signature of a client assertion is verified.</summary>
internal sealed class VerificationCount
{
    private readonly Factory _factory = new();

    public int Count
    {
        get => _factory.Count;
        set => _factory.Count = value;
    }

    public void AddTo(IServiceCollection services) =>
        services.AddOpenIddict().AddServer(server => server.AddEventHandler<ValidateTokenContext>(handler => handler
            .UseInlineHandler(context =>
            {
                context.TokenValidationParameters!.CryptoProviderFactory = _factory;
                return ValueTask.CompletedTask;
            })
            .SetOrder(AssertionHandlers.SetParameters.Descriptor.Order + 1)));

    private sealed class Factory : CryptoProviderFactory
    {
        public int Count { get; set; }

        public override SignatureProvider CreateForVerifying(SecurityKey key, string algorithm)
        {
            Count++;
            return base.CreateForVerifying(key, algorithm);
        }
    }
}
