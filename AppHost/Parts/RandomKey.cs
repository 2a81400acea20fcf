using Aspire.Hosting.Publishing;

namespace WebRtcIms.AppHost;

/// <summary>256 random bits in base64: the form of all keys in the services' settings.</summary>
internal sealed class RandomKey : ParameterDefault
{
    private const int Octets = 32;
    private const int Base64Length = 44;

    public override string GetDefaultValue() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(Octets));

    // The manifest's schema knows length and kinds of characters, but not an encoding.
    public override void WriteToManifest(ManifestPublishingContext context)
    {
        context.Writer.WriteStartObject("generate");
        context.Writer.WriteNumber("minLength", Base64Length);
        context.Writer.WriteBoolean("special", false);
        context.Writer.WriteEndObject();
    }
}
