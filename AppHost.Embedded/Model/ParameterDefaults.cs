using System.Reflection;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Aspire.Hosting.Publishing;
using Microsoft.Extensions.Configuration.UserSecrets;

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>Where a parameter's value comes from when the configuration has none.</summary>
    public abstract class ParameterDefault
    {
        public abstract string GetDefaultValue();

        /// <summary>For Aspire's manifest; this engine publishes nothing and never calls it.</summary>
        public abstract void WriteToManifest(ManifestPublishingContext context);
    }

    /// <summary>Random characters. Letters and digits that look alike are left out, as people may have to type them.</summary>
    public sealed class GenerateParameterDefault : ParameterDefault
    {
        private const string Alphanumeric = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ0123456789";

        public int MinLength { get; set; } = 22;

        public bool Special { get; set; } = true;

        public override string GetDefaultValue() =>
            RandomNumberGenerator.GetString(Special ? Alphanumeric + "-_.{}~()*+!" : Alphanumeric, MinLength);

        public override void WriteToManifest(ManifestPublishingContext context) => throw new NotSupportedException();
    }

    /// <summary>Keeps a generated value in the user secrets of the host's project, so that the next start has the same one.</summary>
    internal sealed class UserSecretsParameterDefault(Assembly host, string parameter, ParameterDefault inner) : ParameterDefault
    {
        // Resources start at the same time, and each reads and writes the whole file.
        private static readonly Lock OneAtATime = new();

        public override string GetDefaultValue()
        {
            var value = inner.GetDefaultValue();
            if (host.GetCustomAttribute<UserSecretsIdAttribute>() is { } secrets)
            {
                lock (OneAtATime) Save(secrets.UserSecretsId, value);
            }

            return value;
        }

        public override void WriteToManifest(ManifestPublishingContext context) => inner.WriteToManifest(context);

        private void Save(string secretsId, string value)
        {
            var path = PathHelper.GetSecretsPathFromSecretsId(secretsId);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var secrets = File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path), null, JsonDocumentOptions)!.AsObject() : [];
            secrets[$"Parameters:{parameter}"] = value;

            // Readable by this user alone from the first byte on, and never half written.
            var draft = $"{path}.{Guid.NewGuid():N}";
            using (var stream = new FileStream(draft, PrivateFile())) JsonSerializer.Serialize(stream, secrets, JsonOptions);
            File.Move(draft, path, overwrite: true);
        }

        private static readonly JsonSerializerOptions JsonOptions = new() { WriteIndented = true };
        private static readonly JsonDocumentOptions JsonDocumentOptions = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

        private static FileStreamOptions PrivateFile()
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            return options;
        }
    }
}

namespace Aspire.Hosting.Publishing
{
    /// <summary>Present for the signature of <see cref="Aspire.Hosting.ApplicationModel.ParameterDefault.WriteToManifest"/>.</summary>
    public sealed class ManifestPublishingContext
    {
        internal ManifestPublishingContext()
        {
        }
    }
}
