using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Rings;

/// <summary>Encrypts the long-term keys for the store, with Data Protection. Its keys are in a folder that all replicas share.</summary>
internal sealed class KeyProtection(Func<DirectoryInfo> createDirectory)
{
    public const string Setting = "Waf:KeyDirectory";

    private readonly Lazy<DirectoryInfo> _directory = new(createDirectory);
    private IDataProtectionProvider? _provider;

    public byte[] Protect(string ring, string kid, byte[] key) => ProtectorOf(_provider ??= Open(), ring, kid).Protect(key);

    /// <exception cref="KeyProtectionException">The folder does not have the key of Data Protection for it.</exception>
    public byte[] Unprotect(StoredKey key)
    {
        try
        {
            return ProtectorOf(_provider ??= Open(), key.Ring, key.Kid).Unprotect(key.ProtectedKey);
        }
        catch (CryptographicException)
        {
            // A provider reads the folder once a day. Another replica may have added a key since.
            _provider = Open();
        }

        try
        {
            return ProtectorOf(_provider, key.Ring, key.Kid).Unprotect(key.ProtectedKey);
        }
        catch (CryptographicException error)
        {
            throw new KeyProtectionException(
                $"{Setting}: the key {key.Kid} in the store cannot be decrypted with the Data Protection keys in "
                + $"{_directory.Value.FullName}. All replicas need the folder with which it was encrypted",
                error);
        }
    }

    // A key is bound to its name: moved to another row it cannot be decrypted.
    private static IDataProtector ProtectorOf(IDataProtectionProvider provider, string ring, string kid) =>
        provider.CreateProtector("long-term keys", ring, kid);

    private IDataProtectionProvider Open() =>
        DataProtectionProvider.Create(_directory.Value, protection => protection.SetApplicationName("WebRtcIms.Waf"));
}

/// <summary>A key in the store cannot be decrypted. The message names the setting.</summary>
internal sealed class KeyProtectionException(string message, Exception cause) : Exception(message, cause);
