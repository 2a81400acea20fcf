using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Transactions;

namespace WebRtcIms.Turn.Client.Authentication;

/// <summary>Derives the key of the HMAC from a credential and a challenge.</summary>
internal static class CredentialKey
{
    /// <summary>
    /// The key of a token is mac_key itself (RFC 7635 §7). A password is hashed with user name and realm: by the algorithm of the
    /// challenge, or by MD5 if the challenge offers none (RFC 8489 §9.2.2).
    /// </summary>
    public static IntegrityKey For(TurnCredential credential, Challenge challenge) =>
        credential.IsAccessToken ? ForToken(credential) : ForPassword(credential, challenge);

    private static IntegrityKey ForToken(TurnCredential credential)
    {
        var isSha256 = credential.Secret.Length == AccessToken.Sha256MacKeyLength;
        return new IntegrityKey(isSha256 ? IntegrityAlgorithm.Sha256 : IntegrityAlgorithm.Sha1, credential.Secret.ToArray());
    }

    private static IntegrityKey ForPassword(TurnCredential credential, Challenge challenge)
    {
        var isHashedBySha256 = challenge.PasswordAlgorithm == PasswordAlgorithm.Sha256;
        var key = new byte[isHashedBySha256 ? LongTermKey.Sha256Length : LongTermKey.Md5Length];
        if (isHashedBySha256) LongTermKey.ComputeSha256(credential.Username, challenge.Realm, credential.Secret, key);
        else LongTermKey.ComputeMd5(credential.Username, challenge.Realm, credential.Secret, key);
        var isSha1 = challenge.PasswordAlgorithm == PasswordAlgorithm.None;
        return new IntegrityKey(isSha1 ? IntegrityAlgorithm.Sha1 : IntegrityAlgorithm.Sha256, key);
    }
}
