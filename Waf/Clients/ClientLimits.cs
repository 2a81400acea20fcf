using System.Text.Json;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Clients;

/// <summary>The most that a client may get. It is kept with the client, in OpenIddict's store.</summary>
internal sealed record ClientLimits
{
    /// <summary>The name of these limits among the properties of a client.</summary>
    public const string Property = "webrtcims.limits";

    public IReadOnlyList<string> Scopes { get; init; } = [];

    public IReadOnlyList<string> Audiences { get; init; } = [];

    /// <summary>See <see cref="IdentityBlock"/>.</summary>
    public IReadOnlyList<string> Impus { get; init; } = [];

    /// <summary>
    /// The WWSF that the client's registration tokens name (3gpp-wwsf of TS 24.229 §7.13); null for the client itself. It stays the same
    /// when the client registers again.
    /// </summary>
    public string? Wwsf { get; init; }

    /// <summary>In seconds; null when only the settings of the TURN server and of the IMS limit the lifetime.</summary>
    public long? MaxTokenLifetime { get; init; }

    /// <summary>Token requests at one replica; null for no limit.</summary>
    public int? RequestsPerMinute { get; init; }

    public TimeSpan Bound(TimeSpan lifetime) =>
        MaxTokenLifetime is { } seconds && TimeSpan.FromSeconds(seconds) < lifetime ? TimeSpan.FromSeconds(seconds) : lifetime;

    public JsonElement ToJson() => JsonSerializer.SerializeToElement(this);

    /// <summary>The limits of a stored client. A client of an earlier version has none, and gets no identities.</summary>
    public static ClientLimits Of(IReadOnlyDictionary<string, JsonElement> properties) =>
        properties.TryGetValue(Property, out var limits) ? limits.Deserialize<ClientLimits>()! : new ClientLimits();

    /// <summary>Gives a client these limits, and the permissions in OpenIddict that follow from them.</summary>
    public void ApplyTo(OpenIddictApplicationDescriptor client)
    {
        client.Permissions.Clear();
        client.Permissions.Add(Permissions.Endpoints.Token);
        client.Permissions.Add(Permissions.Endpoints.Revocation);
        client.Permissions.Add(Permissions.Endpoints.Introspection);
        client.Permissions.Add(Permissions.GrantTypes.ClientCredentials);
        foreach (var scope in Scopes) client.Permissions.Add(Permissions.Prefixes.Scope + scope);
        foreach (var audience in Audiences) client.Permissions.Add(Permissions.Prefixes.Audience + audience);
        client.Properties[Property] = ToJson();
    }
}

/// <summary>The limits of the client that sent a request.</summary>
internal static class ClientLimitsOfRequest
{
    private const string Property = ClientLimits.Property;

    public static ClientLimits GetLimits(this OpenIddictServerTransaction transaction) =>
        transaction.GetProperty<ClientLimits>(Property) ?? new ClientLimits();

    public static void SetLimits(this OpenIddictServerTransaction transaction, ClientLimits limits) =>
        transaction.SetProperty(Property, limits);
}
