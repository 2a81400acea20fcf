using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using WebRtcIms.Stores;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>
/// The key for the HMAC of names in <see cref="FailedLogins"/>. All replicas share it, and it survives a restart. The store has it
/// encrypted with the key ring of the cookies, so a copy of the database does not reveal which names were tried.
/// </summary>
internal sealed class FailedLoginKey(IServiceScopeFactory scopes, IDataProtectionProvider protection, WwsfSettings settings)
    : IHostedService
{
    private readonly IDataProtector _protector = protection.CreateProtector("WebRtcIms.Wwsf.FailedLogins");

    private byte[] _key = [];

    public byte[] Hash(string text) => HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(text));

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var _ = await settings.Store.LockAsync("failed-logins", cancellationToken);
        await using var scope = scopes.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WwsfStore>();
        var row = await store.FailedLoginKeys.SingleOrDefaultAsync(cancellationToken);
        if (row is not null && TryUnprotect(row.ProtectedKey)) return;

        _key = RandomNumberGenerator.GetBytes(32);
        if (row is null) store.Add(new FailedLoginKeyRow { ProtectedKey = _protector.Protect(_key) });
        else row.ProtectedKey = _protector.Protect(_key);
        await store.SaveChangesAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // With another key ring all cookies are void, and the counters begin again.
    private bool TryUnprotect(byte[] protectedKey)
    {
        try
        {
            _key = _protector.Unprotect(protectedKey);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
