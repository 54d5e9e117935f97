"""The AnimateAnyone family of portrait video diffusion models: AniPortrait and Follow-Your-Emoji.

One implementation in plain torch modules with AniPortrait's own weight names. What the published code does without
saying so is done here too, and explained where it is done; the alternative is an option (`spec.ModelSpec`).

    spec             the numbers of each published model, and of tiny ones for tests
    attention, motion, unet, pose_guider    the networks
    landmark_image   the condition picture
    windows, noise, sampler                 from noise to a clip, and back
    condition        what a person's photo and a clip's landmarks become
    files, checkpoint, save                 which files there are, reading and writing them
    prior            all of it as a `VideoPrior` and `ScorePrior`
    training_clips, tuning_loss, tune       fine-tuning on made-up persons or on videos
"""
