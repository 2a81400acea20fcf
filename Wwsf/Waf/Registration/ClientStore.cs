using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using WebRtcIms.Stores;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Waf.Registration;

/// <summary>The registered client in the store, for all replicas. Its secrets are encrypted with the key ring of the cookies.</summary>
internal sealed class ClientStore(IServiceScopeFactory scopes, IDataProtectionProvider protection, WwsfSettings settings)
{
    private readonly IDataProtector _protector = protection.CreateProtector("WebRtcIms.Wwsf.WafClient");

    /// <summary>One replica at a time changes the registration.</summary>
    public Task<IAsyncDisposable> LockAsync(CancellationToken cancellationToken) =>
        settings.Store.LockAsync("waf-client", cancellationToken);

    /// <exception cref="CryptographicException">The key ring is not the one that encrypted the secrets.</exception>
    public async Task<RegisteredClient?> FindAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WwsfStore>();
        if (await store.WafClients.AsNoTracking().SingleOrDefaultAsync(cancellationToken) is not { } row) return null;
        var secrets = JsonSerializer.Deserialize<Secrets>(_protector.Unprotect(row.ProtectedSecrets))!;
        var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(secrets.Key, out _);
        return new(row.ClientId, row.Issuer, secrets.AccessToken, key, DateTimeOffset.FromUnixTimeSeconds(row.KeyCreatedAt));
    }

    /// <summary>Replaces what is stored.</summary>
    public async Task SaveAsync(RegisteredClient client, CancellationToken cancellationToken)
    {
        var secrets = JsonSerializer.SerializeToUtf8Bytes(new Secrets(client.AccessToken, client.Key.ExportPkcs8PrivateKey()));
        await using var scope = scopes.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WwsfStore>();
        var row = new WafClientRow
        {
            ClientId = client.ClientId,
            Issuer = client.Issuer,
            ProtectedSecrets = _protector.Protect(secrets),
            KeyCreatedAt = client.KeyCreatedAt.ToUnixTimeSeconds(),
        };
        if (await store.WafClients.AnyAsync(cancellationToken)) store.Update(row);
        else store.Add(row);
        await store.SaveChangesAsync(cancellationToken);
    }

    private sealed record Secrets(string AccessToken, byte[] Key)
    {
        public override string ToString() => "***";
    }
}
