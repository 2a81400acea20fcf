using System.Text.Json;
using OpenIddict.Abstractions;
using OpenIddict.EntityFrameworkCore.Models;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>What the store keeps of a registration, beside the client itself.</summary>
/// <param name="InitialAccessToken">The name of the token with which the client was registered.</param>
/// <param name="RegisteredAt">Unix time.</param>
/// <param name="AccessTokenHash">The hash of the registration access token.</param>
/// <param name="Ceiling">The limits of the initial access token, for updates.</param>
internal sealed record RegistrationEntry(
    string InitialAccessToken, long RegisteredAt, string AccessTokenHash, ClientLimits Ceiling)
{
    private const string Property = ClientManager.RegistrationProperty;

    /// <summary>Null when the client comes from the settings.</summary>
    public static RegistrationEntry? Of(OpenIddictApplicationDescriptor client) =>
        client.Properties.TryGetValue(Property, out var registration) ? registration.Deserialize<RegistrationEntry>() : null;

    public void ApplyTo(OpenIddictApplicationDescriptor client) =>
        client.Properties[Property] = JsonSerializer.SerializeToElement(this);
}

/// <summary>A registered client as it is in the store.</summary>
internal sealed record StoredClient(
    OpenIddictEntityFrameworkCoreApplication Application, OpenIddictApplicationDescriptor Descriptor, RegistrationEntry Registration)
{
    public string ClientId => Descriptor.ClientId!;
}

/// <summary>The response to a registration, without what the metadata has.</summary>
/// <param name="ClientId">The client.</param>
/// <param name="ClientSecret">A new secret. The store only has its hash.</param>
/// <param name="AccessToken">The registration access token.</param>
/// <param name="RegisteredAt">Unix time.</param>
/// <param name="Metadata">The client as it is registered.</param>
internal sealed record ClientInformation(
    string ClientId, string? ClientSecret, string AccessToken, long RegisteredAt, ClientMetadata Metadata)
{
    public override string ToString() => "***";
}
